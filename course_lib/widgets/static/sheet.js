// TitanicSheet: a neural net as a spreadsheet. The object behind it is course_lib.training.sheet.Sheet.
// Python sends the numbers once and the coefficients each time; here they are multiplied and added, as a spreadsheet does.
// What is typed is computed here at once; Python's exact numbers follow and take its place.

const ROW = 25, ABOVE = 3;        // CSS pixels of a row; rows drawn beyond the edge
const LONGEST = 15;               // letters of a name above a column
/** Whether two texts say the same: 41.50 is written 41.5. */
const sameCell = (a, b) => a === b || Boolean(a && b) && Number(a) === Number(b);
const TO_EDIT = 'Enter, or a double click, edits a coefficient, a cell of the raw table, or an answer.';
const VIEWS = [['raw', 'Raw table'], ['numbers', 'Numbers'], ['products', 'Products'], ['all', 'All']];

/** A number in a narrow cell, so that decimals stand below each other. */
function cellText(v) {
  if (!Number.isFinite(v)) return '–';
  const size = Math.abs(v);
  if (Number.isInteger(v) && size < 1e5) return String(v).replace('-', '−');
  if (size >= 1e4 || size < 5e-4) return size === 0 ? '0' : v.toExponential(0).replace('-', '−').replace('e+', 'e').replace('e-', 'e−');
  return v.toFixed(size >= 1000 ? 0 : size >= 100 ? 1 : size >= 10 ? 2 : 3).replace('-', '−');
}

const asPercent = v => v >= .0995 || v === 0 ? `${Math.round(100*v)}%` : v < .001 ? '<0.1%' : `${(100*v).toFixed(1)}%`;

// ---- The numbers

/** What a sheet computes, all of it from the numbers and the coefficients. */
class SheetSums {
  /** `bytes` holds the numbers row by row, then the answers. */
  take(bytes, rows, columns) {
    const all = new Float64Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
    Object.assign(this, {n: rows, k: columns, x: all.subarray(0, rows*columns), y: all.subarray(rows*columns)});
    this.measure();
  }
  /** How large a column is, on average and usually, the sign aside. */
  measure() {
    this.size = new Float64Array(this.k);
    for (let i = 0, at = 0; i < this.n; i++) for (let j = 0; j < this.k; j++, at++) this.size[j] += Math.abs(this.x[at])/this.n;
    this.usual = Float64Array.from({length: this.k}, (_, j) => this.usualSize(j));
  }
  /** Nine in ten numbers of a column are not larger: a single rich passenger must not make all bars short. */
  usualSize(j) {
    const all = Float64Array.from({length: this.n}, (_, i) => Math.abs(this.x[i*this.k + j])).sort();
    return all[Math.floor(.9*(this.n - 1))] || all[this.n - 1];
  }
  /** What a raw cell that was typed makes of the numbers: all of its columns, since a largest value may be another one. */
  retake({ways, target}, raw, [, name, text]) {
    const cells = raw.levels[name] ? raw.cells[name] : raw.cells[name].map(Number);
    if (!text || (!raw.levels[name] && cells.some(v => !Number.isFinite(v)))) return;  // Python says what is wrong with it
    if (name === target) this.y = Float64Array.from(cells, Number);
    const largest = () => cells.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
    ways.forEach(({source, does}, j) => {
      if (source !== name) return;
      const way = {does: does.map(([what, by]) => [what, what === 'divide' ? largest() : by])};
      for (let i = 0; i < this.n; i++) this.x[i*this.k + j] = prepared(way, cells[i]);
    });
  }
  /** `w` is a list of the coefficients of each column, one for each set. */
  weigh(w) {
    Object.assign(this, {w, sets: w[0].length});
    const {n, k, sets} = this;
    this.sums = new Float64Array(n*sets);
    this.preds = new Float64Array(n);
    let loss = 0, right = 0;
    for (let i = 0; i < n; i++) {
      for (let s = 0; s < sets; s++) {
        let sum = 0;
        for (let j = 0; j < k; j++) sum += this.x[i*k + j]*w[j][s];
        this.sums[i*sets + s] = sum;
        this.preds[i] += sets === 1 ? sum : Math.max(sum, 0);
      }
      loss += (this.preds[i] - this.y[i])**2;
      right += (this.preds[i] > .5) === (this.y[i] === 1);
    }
    Object.assign(this, {loss: loss/n, accuracy: right/n});
    const part = w.map((row, j) => row.reduce((a, v) => a + Math.abs(v), 0)*this.size[j]), whole = part.reduce((a, v) => a + v, 0);
    this.shares = part.map(v => whole ? v/whole : 0);
    this.largest = Math.max(1e-12, ...w.map((row, j) => Math.max(...row.map(Math.abs))*this.usual[j]));
  }
  /** The number in row i of a column of the sheet. */
  at(i, {kind, j, s}) {
    if (kind === 'number') return this.x[i*this.k + j];
    if (kind === 'product') return this.x[i*this.k + j]*this.w[j][s] + 0;
    if (kind === 'sum') return this.sums[i*this.sets + s];
    if (kind === 'relu') return Math.max(0, this.sums[i*this.sets + s]);
    if (kind === 'prediction') return this.preds[i];
    if (kind === 'answer') return this.y[i];
    return (this.preds[i] - this.y[i])**2;
  }
}

/** The columns of one view of the sheet: {key, head, kind, j, s}; `key` is what Python calls them. */
function sheetColumns(state, view) {
  const {columns, raw_columns, sets, relus, target} = state, out = [];
  const takes = name => view === name || view === 'all';
  if (takes('raw')) out.push(...raw_columns.map(n => ({key: `raw ${n}`, head: n, kind: 'raw', block: 'raw table'})));
  if (takes('numbers')) out.push(...columns.map((n, j) => ({key: n, head: n, kind: 'number', j, block: 'numbers'})));
  if (takes('products')) sets.forEach((name, s) => out.push(...columns.map((n, j) =>
    ({key: `${n} × ${name}`, head: n, kind: 'product', j, s, block: `products: number × ${name}`}))));
  if (relus && view !== 'raw') for (const [kind, name] of [['sum', 'sum'], ['relu', 'ReLU']])
    for (const s of [0, 1]) out.push({key: `${name} ${s + 1}`, head: `${name} ${s + 1}`, kind, s, block: 'sums, cut off at 0'});
  return [...out, {key: 'prediction', head: 'prediction', kind: 'prediction', end: 2, block: 'result'},
    {key: target, head: target, kind: 'answer', end: 1, block: 'result'},
    {key: 'squared error', head: 'error²', kind: 'error', end: 0, block: 'result'}];
}

// ---- The grid

/** Rows and columns of which only those in sight are in the page. Rows −1 and −2 are the coefficients above. */
class SheetGrid {
  /** `does`: {look, put, edit, refused, built}, called with what the hand did, and when the columns are others. */
  constructor(sums, does) {
    Object.assign(this, {sums, does, pool: [], columns: [], row: 0, col: 0, editing: null, version: 0, id: `cw-sheet-${++unique}`});
    this.head = el('div', {class: 'cw-sheet-head', role: 'rowgroup'});
    this.body = el('div', {class: 'cw-sheet-body', role: 'rowgroup'});
    this.node = el('div', {class: 'cw-sheet-grid', role: 'grid', tabindex: '0', 'aria-label': 'the sheet', onkeydown: e => this.key(e),
      onscroll: () => this.moved(), onclick: e => this.clicked(e), ondblclick: e => this.clicked(e, true)}, this.head, this.body);
    this.watch = new ResizeObserver(() => { this.moved(); this.draw(); });
    this.watch.observe(this.node);
  }
  /** The columns of a view, and what is in it. The place of the hand stays on the same column where there is one. */
  show(state, raw, view) {
    const key = this.columns[this.col]?.key, before = this.columns.map(c => c.key).join('|') + this.sets, {labels} = this.raw || {};
    Object.assign(this, {state, raw, view, sets: view === 'raw' ? 0 : state.sets.length});  // rows above: none over the raw table
    this.columns = sheetColumns(state, view);
    const at = this.columns.findIndex(c => c.key === key);
    this.col = at >= 0 ? at : this.columns.findIndex(c => c.kind === 'prediction');
    this.row = Math.max(-this.sets, Math.min(this.row, state.rows - 1));
    if (before !== this.columns.map(c => c.key).join('|') + this.sets || labels !== raw.labels) this.build();
    this.draw();
  }
  /** What the columns are grouped in, from left to right. */
  get blocks() { return [...new Set(this.columns.map(c => c.block))]; }
  get column() { return this.columns[this.col]; }
  get above() { return this.head.offsetHeight || ROW*5; }

  // Making
  build() {
    this.stop();
    this.box = null;
    this.pool = [];
    this.body.replaceChildren();
    this.body.style.height = `${this.state.rows*ROW}px`;
    this.node.setAttribute('aria-rowcount', this.state.rows + this.sets);
    this.node.setAttribute('aria-colcount', this.columns.length);
    const longest = this.raw.labels.reduce((most, text) => Math.max(most, text.length), 0);
    this.does.built();
    this.node.style.setProperty('--first', longest > 5 ? `${Math.min(110, 8 + 7*longest)}px` : '');
    const {blocks} = this;
    const titles = el('div', {class: 'cw-sheet-row cw-sheet-blocks'}, el('div', {class: 'cw-sheet-cell cw-sheet-label'}), ...blocks.map(b => {
      const n = this.columns.filter(c => c.block === b).length;
      const both = this.sets === 2 && this.columns.some(c => c.block === b && (c.kind === 'number' || c.s === 0 && c.kind === 'product'));
      return el('div', {class: `cw-sheet-block ${b === 'result' ? 'cw-sheet-ends' : ''}`, style: `--n:${n}`},
        el('span', {}, both ? `${b} (share: of both sets together)` : b));
    }));
    const names = this.names = this.line('', 'columnheader', (cell, c) => {
      cell.classList.toggle('cw-sheet-long', c.head.length > LONGEST);
      Object.assign(cell, {textContent: shortened(c.head, LONGEST).replaceAll('_', '\u200b_'), title: c.key});  // a long name may break before the _
    });
    names.classList.add('cw-sheet-names');
    this.coeffs = this.state.sets.slice(0, this.sets).map((name, s) =>
      this.line(name, 'gridcell', (cell, c) => this.name(cell, s - this.sets, c)));
    this.share = this.line('share', '', () => {});
    this.share.firstChild.title = `how much of all products, the sign aside, a column makes up${this.sets === 2 ? ', both sets together' : ''}`;
    this.share.setAttribute('aria-hidden', 'true');
    this.head.replaceChildren(titles, names, ...this.coeffs, this.share);
  }
  /** A row with a cell for each column. */
  line(label, role, fill) {
    const row = el('div', {class: 'cw-sheet-row', role: 'row'}, el('div', {class: 'cw-sheet-cell cw-sheet-label', role: 'rowheader'}, label));
    this.columns.forEach((c, at) => {
      const ends = c.end === undefined ? '' : `cw-sheet-end cw-sheet-end${c.end}`;
      const first = at && this.columns[at - 1].block !== c.block ? 'cw-sheet-first' : '';
      const cell = el('div', {class: `cw-sheet-cell cw-sheet-${c.kind} ${ends} ${first}`, role});
      cell.place = at;
      row.append(cell);
      fill(cell, c);
    });
    return row;
  }
  name(cell, row, c) { cell.id = `${this.id}-${row}-${cell.place}`; cell.row = row; cell.column = c; }

  // Painting
  /** Paint with the next frame of the browser; while one scrolls, only rows that come into sight. */
  draw(changed = true) {
    if (changed) this.version++;
    this.asked ||= requestAnimationFrame(() => { this.asked = null; this.paint(); });
  }
  /** What is in sight is measured only when it has moved: to ask the browser takes a layout each time. */
  moved() { this.box = null; this.draw(false); }
  measure() {
    const {scrollTop, scrollLeft, clientHeight, clientWidth} = this.node;
    this.node.classList.toggle('cw-sheet-more-left', scrollLeft > 1);
    this.node.classList.toggle('cw-sheet-more-right', scrollLeft + clientWidth < this.node.scrollWidth - 1);
    return {scrollTop, scrollLeft, clientWidth, room: clientHeight - this.above, wide: this.names.children[1].offsetWidth || 57};
  }
  paint() {
    if (!this.state) return;
    const {scrollTop, room} = this.box ||= this.measure(), rows = this.state.rows;
    this.seen = this.inSight(this.box);
    const count = Math.ceil(room/ROW) + 2*ABOVE;
    while (this.pool.length < Math.min(count, rows)) this.pool.push(this.body.appendChild(this.line('', 'gridcell', () => {})));
    const size = this.pool.length, first = Math.max(0, Math.min(Math.floor(scrollTop/ROW) - ABOVE, rows - size));
    for (let i = first; i < first + size; i++) this.fill(this.pool[i % size], i);
    this.top();
    if (this.painted === this.version) return;
    this.painted = this.version;
    const here = `${this.id}-${this.row}-${this.col}`;
    if (this.node.getAttribute('aria-activedescendant') !== here) this.node.setAttribute('aria-activedescendant', here);
  }
  /** The places of the columns in sight; the last three always are. */
  inSight({scrollLeft, clientWidth, wide}) {
    const inner = this.columns.length - 3, from = Math.floor(scrollLeft/wide), to = Math.ceil((scrollLeft + clientWidth)/wide);
    const places = Array.from({length: Math.max(0, Math.min(to, inner) - from)}, (_, i) => from + i);
    return Object.assign([...places, inner, inner + 1, inner + 2], {key: `${this.version}|${from}|${to}`});
  }
  /** The coefficients and the shares above. */
  top() {
    if (this.topped === this.seen.key) return;
    this.topped = this.seen.key;
    this.coeffs.forEach((row, s) => this.seen.forEach(at => {
      const c = this.columns[at], cell = row.children[at + 1], mine = this.hasCoeff(c, s);
      if (this.editing?.cell !== cell) setText(cell, mine ? cellText(this.sums.w[c.j][s]) : '');
      cell.classList.toggle('cw-sheet-coeff', mine);
      cell.classList.toggle('cw-sheet-at', this.row === s - this.sets && this.col === at);
      cell.classList.toggle('cw-sheet-from', mine && this.row >= 0 && this.column.kind === 'product' && this.column.j === c.j && this.column.s === s);
    }));
    const j = this.sums.shares.map(asPercent);
    setText(this.share.firstChild, this.view === 'raw' ? '' : 'share');
    this.seen.forEach(at => {
      const c = this.columns[at], cell = this.share.children[at + 1], has = c.kind === 'number' || (c.kind === 'product' && c.s === 0);
      setText(cell, has ? j[c.j] : c.kind === 'answer' ? 'mean' : c.kind === 'error' ? cellText(this.sums.loss) : '');
      cell.style.setProperty('--part', has ? this.sums.shares[c.j] : 0);
      cell.classList.toggle('cw-sheet-share', has);
    });
  }
  hasCoeff(c, s) { return c.kind === 'number' || (c.kind === 'product' && c.s === s); }
  fill(row, i) {
    if (row.i === i && row.key === this.seen.key) return;
    row.key = this.seen.key;
    if (row.i !== i) {
      if (this.editing && row.contains(this.editing.cell)) this.stop();
      row.i = i;
      row.style.transform = `translateY(${i*ROW}px)`;
      row.setAttribute('aria-rowindex', i + 1 + this.sets);
      setText(row.firstChild, shortened(this.raw.labels[i], 13));
      row.firstChild.title = [this.raw.labels[i], this.raw.names[i]].filter(Boolean).join(': ');
    }
    row.classList.toggle('cw-sheet-here', i === this.row);
    for (const at of this.seen) this.fillCell(row.children[at + 1], i, this.columns[at], at);
  }
  fillCell(cell, i, c, at) {
    if (cell.row !== i) this.name(cell, i, c);
    cell.classList.toggle('cw-sheet-at', i === this.row && at === this.col);
    if (this.editing?.cell === cell) return;
    if (c.kind === 'raw' || c.kind === 'answer') this.mark(cell, this.raw.given.get(`${i} ${c.head}`));
    if (c.kind === 'raw') return setText(cell, this.raw.cells[c.head][i]);
    const v = this.sums.at(i, c);
    if (c.kind === 'product') {
      const part = Math.max(-1, Math.min(v/this.sums.largest, 1));
      cell.style.setProperty('--from', `${50 + 50*Math.min(part, 0)}%`);
      cell.style.setProperty('--to', `${50 + 50*Math.max(part, 0)}%`);
      cell.classList.toggle('cw-sheet-minus', v < 0);
    }
    if (c.kind === 'relu') cell.classList.toggle('cw-sheet-cut', this.sums.at(i, {...c, kind: 'sum'}) < 0);
    if (c.kind !== 'prediction') return setText(cell, cellText(v));
    setText(cell, `${cellText(v)} ${(v > .5) === (this.sums.y[i] === 1) ? '✓' : '✗'}`);
  }

  /** A cell that was typed over says what stood there. */
  mark(cell, given) {
    const title = given === undefined ? '' : `as given: ${given}`;
    if (cell.title === title) return;
    cell.title = title;
    cell.classList.toggle('cw-sheet-edited', given !== undefined);
  }

  // The hand
  clicked(e, twice = false) {
    const cell = e.target.closest('.cw-sheet-cell');
    if (!cell || cell.row === undefined || e.target.closest('.cw-sheet-input')) return;
    this.stop();
    this.go(cell.row, cell.place);
    this.node.focus({preventScroll: true});
    if (twice) this.begin();
  }
  /** Put the hand on a cell and bring it into view. */
  go(row, col) {
    this.row = Math.max(-this.sets, Math.min(row, this.state.rows - 1));
    this.col = Math.max(0, Math.min(col, this.columns.length - 1));
    this.reveal();
    this.draw();
    this.does.look();
  }
  reveal() {
    const {node, above, row, col} = this, top = row*ROW, room = node.clientHeight - above;
    if (row >= 0 && top < node.scrollTop) node.scrollTop = top;
    if (row >= 0 && top + ROW > node.scrollTop + room) node.scrollTop = top + ROW - room;
    const c = this.columns[col], cells = [...this.names.children];
    this.box = null;
    if (c.end !== undefined) return;
    const wide = some => some.reduce((a, o) => a + o.offsetWidth, 0), left = cells[0].offsetWidth, right = wide(cells.slice(-3));
    const x = wide(cells.slice(0, col + 1)), end = x + cells[col + 1].offsetWidth;
    if (x - left < node.scrollLeft) node.scrollLeft = x - left;
    if (end > node.scrollLeft + node.clientWidth - right) node.scrollLeft = end - node.clientWidth + right;
  }
  /** Bring a block of columns into sight; the hand stays where it is. */
  jump(block) {
    const cells = [...this.names.children], at = this.columns.findIndex(c => c.block === block);
    this.node.scrollLeft = cells.slice(1, at + 1).reduce((x, o) => x + o.offsetWidth, 0);
  }
  key(e) {
    if (this.editing || e.altKey) return;
    const page = Math.max(1, Math.floor((this.node.clientHeight - this.above)/ROW) - 1), {row, col} = this, last = this.columns.length - 1;
    const ctrl = e.ctrlKey || e.metaKey;
    const to = {ArrowUp: [row - 1, col], ArrowDown: [row + 1, col], ArrowLeft: [row, col - 1], ArrowRight: [row, col + 1],
      PageUp: [row - page, col], PageDown: [row + page, col],
      Home: [ctrl ? -this.sets : row, 0], End: [ctrl ? this.state.rows - 1 : row, last]}[e.key];
    const types = !ctrl && /^[-\d.,]$/.test(e.key) && this.editable;
    if (ctrl && e.key === 'Home') this.node.scrollTop = 0;
    if (to) this.go(...to);
    else if (e.key === 'Enter' || e.key === 'F2') this.begin();
    else if (e.key === 'Delete' || e.key === 'Backspace') this.empty();
    else if (types) this.begin(e.key.replace(',', '.'));
    else return;
    e.preventDefault();
  }
  /** What may be typed over: coefficients, raw cells, answers. */
  get editable() { return this.row < 0 ? this.hasCoeff(this.column, this.row + this.sets) : ['raw', 'answer'].includes(this.column.kind); }
  begin(typed = null) {
    if (!this.editable) return this.does.refused(this.row, this.column);
    this.paint();
    const {row, column: c} = this, cell = this.node.querySelector(`[id="${this.id}-${row}-${this.col}"]`);
    if (!cell) return;
    const name = c.kind === 'answer' ? c.key : c.head, levels = row >= 0 && this.raw.levels[name];
    const now = row < 0 ? String(Number(this.sums.w[c.j][row + this.sets].toPrecision(6))) : this.raw.cells[name][row];
    const box = levels ? el('select', {class: 'cw-sheet-input'}, ...levels.map(o => el('option', {value: o}, o)))
      : el('input', {type: 'text', class: 'cw-sheet-input', inputmode: 'decimal', autocomplete: 'off'});
    box.setAttribute('aria-label', row < 0 ? `coefficient of ${c.head}` : `${name}, row ${this.raw.labels[row]}`);
    box.value = levels ? (levels.includes(typed) ? typed : now) : typed ?? now;
    this.editing = {cell, row, box, now};
    box.addEventListener('keydown', e => this.typed(e));
    box.addEventListener('blur', () => this.commit());
    cell.replaceChildren(box);
    box.focus({preventScroll: true});
    if (typed === null && box.select) box.select();
  }
  typed(e) {
    if (e.key === 'Escape') this.stop(true);
    else if (e.key === 'Enter') this.commit(true);  // the hand stays, so that one sees what became of it
    else if (e.key === 'Tab') { this.commit(true); this.go(this.row, this.col + (e.shiftKey ? -1 : 1)); }
    else return;
    e.preventDefault();
    e.stopPropagation();
  }
  commit(focus = false) {
    if (!this.editing) return;
    const {row, box, now} = this.editing, value = box.value.trim(), c = this.columns[box.parentNode.place];
    this.stop(focus);
    if (value !== now) this.take(row, c, value);
  }
  take(row, c, value) {
    if (row < 0) this.does.put(c, row + this.sets, value || '0');  // an empty coefficient counts as 0, as in a spreadsheet
    else this.does.edit(row, c, value);
  }
  empty() { if (this.editable) this.take(this.row, this.column, ''); else this.does.refused(this.row, this.column); }
  /** Leave the box without taking what is in it. */
  stop(focus = false) {
    if (!this.editing) return;
    const {cell} = this.editing;
    this.editing = null;
    cell.replaceChildren();
    if (focus) this.node.focus({preventScroll: true});
    this.draw();
  }
  close() { this.watch.disconnect(); cancelAnimationFrame(this.asked); }
}

// ---- Where a number came from, and the matrix product

/** The way of the number under the hand; a line that is a cell of the sheet leads there. */
class SheetTrace {
  constructor(go) {
    this.go = go;
    this.title = el('div', {class: 'cw-sheet-title'});
    this.list = el('ul', {class: 'cw-sheet-lines'});
    this.node = el('section', {class: 'cw-sheet-trace', 'aria-label': 'where the number came from'}, this.title, this.list);
  }
  show({at, lines}, raw) {
    const who = at < 0 ? '' : `, row ${raw.labels[at]}${raw.names[at] ? ` (${raw.names[at]})` : ''}`;
    setText(this.title, `${lines[0].name}${who}`);
    this.list.replaceChildren(...lines.map(line => {
      const words = [`${line.name} = `, el('b', {}, withMinus(line.value)), `: ${withMinus(line.words)}`];
      const leads = line.column && line.depth, go = () => this.go(at, line.column);
      const inner = leads ? ['button', {type: 'button', class: 'cw-sheet-link', onclick: go}] : ['span', {}];
      return el('li', {style: `--depth:${line.depth}`}, el(...inner, ...words));
    }));
  }
}

/** All sums as one product of two matrices, with the row under the hand. */
class SheetProduct {
  constructor() {
    this.words = el('span', {});
    this.inside = el('div', {class: 'cw-sheet-matrices'});
    this.node = el('details', {class: 'cw-codebox', ontoggle: () => this.draw()},
      el('summary', {}, 'As one matrix product: ', this.words), this.inside);
  }
  show(what) { Object.assign(this, what); setText(this.words, this.state.shapes); this.draw(); }
  draw() {
    if (!this.node.open || !this.state) return;
    const {state, sums, raw} = this, n = state.rows, here = Math.max(0, this.row);
    const rows = [...new Set([0, 1, here - 1, here, here + 1, n - 1])].filter(i => i >= 0 && i < n).sort((a, b) => a - b);
    const sets = state.sets.map((_, s) => s);
    const line = (i, of) => ({label: raw.labels[i], cells: of(i), here: i === here}), gap = at => at && rows[at - 1] < rows[at] - 1;
    const lines = (head, of) => this.table(head, rows.flatMap((i, at) => [...(gap(at) ? [null] : []), line(i, of)]));
    const sign = text => el('span', {class: 'cw-sheet-sign'}, text);
    const part = (title, shape, table) => el('div', {class: 'cw-sheet-part'}, el('div', {}, el('b', {}, title), ` ${shape}`), table);
    const after = state.relus ? [sign('→'), part('ReLU, added', `(${n},)`, lines(['prediction'], i => [sums.preds[i]]))] : [];
    const all = i => state.columns.map((_, j) => sums.at(i, {kind: 'number', j})), added = i => sets.map(s => sums.at(i, {kind: 'sum', s}));
    this.inside.replaceChildren(part('X', `(${n}, ${sums.k})`, lines(state.columns, all)), sign('@'),
      part('W', `(${sums.k}, ${sets.length})`, this.table(state.sets, state.columns.map((c, j) => ({label: c, cells: sums.w[j]})))), sign('='),
      part('X @ W', `(${n}, ${sets.length})`, lines(state.relus ? ['sum 1', 'sum 2'] : ['prediction'], added)), ...after);
  }
  /** A small table; null is a row of dots. */
  table(head, lines) {
    const cells = line => [el('th', {title: line.label}, shortened(line.label, 12)), ...line.cells.map(v => el('td', {}, cellText(v)))];
    const row = line => line ? el('tr', {class: line.here ? 'cw-sheet-here' : ''}, ...cells(line))
      : el('tr', {}, el('th', {}, '⋮'), ...head.map(() => el('td', {}, '⋮')));
    return el('table', {class: 'cw-sheet-table'}, el('tr', {}, el('th', {}), ...head.map(h => el('th', {title: h}, shortened(h, 12)))), ...lines.map(row));
  }
}

// ---- The view

class SheetView extends SheetPage {
  constructor({model, el: holder}) {
    super();
    Object.assign(this, {model, el: holder, view: 'products', run: 0, sums: new SheetSums(), typed: []});
    this.line = new Line(model, busy => this.root.warn(busy ? BUSY : this.state.message));
    this.root = makeRoot(this, {label: 'Sheet', keys: this.toolKeys,
      hint: 'Arrows move, Enter edits, Del empties, Esc leaves · S step · P play · R randomise · V solve · Ctrl+Z undo · Ctrl+Y redo'});
    this.root.root.classList.add('cw-sheet');
    this.grid = new SheetGrid(this.sums, {look: () => this.look(), put: (c, s, v) => this.put(c, s, v), edit: (i, c, v) => this.edit(i, c, v),
      refused: (i, c) => this.refused(i, c), built: () => this.showJumps()});
    this.trace = new SheetTrace((at, column) => this.goTo(at, column));
    this.product = new SheetProduct();
    this.trail = new Chart('loss trail', {width: 340, height: 130, xlabel: 'changes', ylabel: 'mean loss', log: true});
    this.code = codeBox(this.line);
    this.controls();
    this.layout();
    this.listeners = {'change:state': () => this.heard()};
    for (const [name, f] of Object.entries(this.listeners)) model.on(name, f);
    this.heard();
  }
  // Making
  controls() {
    this.tools = this.makeTools('coefficients');
    this.views = VIEWS.map(([name, text]) => Object.assign(button(text, () => this.turnTo(name), {pressed: name === this.view}), {view: name}));
    this.knobs = el('div', {class: 'cw-sheet-knobs'});
    this.jumps = el('div', {class: 'cw-row cw-sheet-jumps', role: 'group', 'aria-label': 'columns to go to'});
    this.effect = el('div', {class: 'cw-note', role: 'status'}, TO_EDIT);
  }
  /** Buttons that lead to a block of columns, where there is more than one. */
  showJumps() {
    const blocks = this.grid.blocks.filter(b => b !== 'result'), name = b => b.replace('products: number', 'products');
    this.jumps.replaceChildren('columns: ', ...blocks.map(b => button(name(b), () => this.grid.jump(b), {title: 'bring these columns into sight'})));
    this.jumps.hidden = blocks.length < 2;
  }
  layout() {
    const tools = el('div', {class: 'cw-sheet-tools', role: 'toolbar', 'aria-label': 'coefficients'}, ...this.tools);
    const switches = el('div', {class: 'cw-sheet-tools'}, el('div', {class: 'cw-row'}, this.normalise, this.log, this.relus),
      el('div', {class: 'cw-row cw-sheet-views', role: 'group', 'aria-label': 'what is shown'}, ...this.views));
    const side = el('div', {class: 'cw-sheet-side'}, this.knobs, this.trail.node), slot = el('div', {class: 'cw-sheet-slot'}, this.effect);
    this.root.body(el('div', {class: 'cw-sheet-all'}, ...this.makeTop(), tools, switches, this.jumps, this.grid.node, slot,
      el('div', {class: 'cw-sheet-under'}, this.trace.node, side), this.product.node, this.code.node, this.note));
    slot.append(this.root.message);  // where the eye is
  }

  // What Python says
  heard() {
    const s = this.state, bytes = this.model.get('cells');
    this.takeNumbers(s, bytes);
    if (this.line.idle || s.columns.length !== this.w?.length || s.sets.length !== this.w[0].length) this.w = s.w.map(row => [...row]);
    this.sums.weigh(this.w);
    this.grid.show(s, this.raw, this.view);
    this.trace.show(s.trace, this.raw);
    this.settings(s);
    this.slide(s);
    this.numbers();
    this.news(s.message);
    if (this.playing && s.ack === this.beat) this.goOn();
    if (!this.playing && s.alt !== this.told) this.root.say(this.told = s.alt);
    this.code.show(s.code);
  }
  /** The numbers as Python has them, and what was typed since: that is seen at once. */
  takeNumbers(s, bytes) {
    const guessed = this.typed.length, {flying} = this.line;
    this.typed = this.typed.filter(({id, labels}) => flying.includes(id) && labels === this.model.get('raw').labels);
    if (bytes !== this.bytes || guessed) this.sums.take(this.bytes = bytes, s.rows, s.columns.length);
    this.withTyped(s);
    const {name, i, text} = this.edited || {};
    if (name && !this.typed.length && !sameCell(this.raw.cells[name]?.[i], text)) this.tellEffect(null);
  }
  /** What an edit did to its row, until the hand is on another one; null for a word on how to edit. */
  tellEffect(edited) {
    this.edited = edited;
    setText(this.effect, edited ? edited.words : TO_EDIT);
  }
  withTyped(s) {
    this.raw = this.rawNow([...s.edits, ...this.typed.map(o => o.edit)]);
    for (const {edit} of this.typed) this.sums.retake(s, this.raw, edit);
    if (this.typed.length) this.sums.measure();
  }
  settings(s) {
    this.showTools(s);
    setText(this.came, `coefficients: ${s.came}`);
    const n = s.losses.length;
    this.trail.xlabel = n === 1 ? 'no change yet' : n === 2 ? 'step or change' : `steps and changes${n < s.most_told ? '' : ', the last ones'}`;
    this.trail.set([{name: 'loss', ys: s.losses, colour: s.colours.descent, marks: s.losses.length < 30}], {words: `now ${fmt(s.loss)}`});
  }
  /** All that follows from the numbers and the coefficients. */
  numbers() {
    this.showTop(this.sums);
    this.product.show({state: this.state, sums: this.sums, raw: this.raw, row: this.grid.row});
    this.grid.draw();
  }

  // What the hand does
  put(c, s, text) {
    const value = Number(text.replace('−', '-').replace(',', '.'));
    this.run++;
    if (text !== '' && Number.isFinite(value)) this.weigh(c.j, s, value);
    this.send('put', {column: this.state.columns[c.j], value: text.replace(',', '.'), which: s});
  }
  /** Another coefficient is seen at once, but for one that Python will refuse. */
  weigh(j, s, value) {
    const was = this.w[j][s], bearable = () => this.sums.loss < this.state.most_loss;
    this.w[j][s] = value;
    this.sums.weigh(this.w);
    if (!bearable()) { this.w[j][s] = was; this.sums.weigh(this.w); }
    this.numbers();
  }
  edit(i, c, value) {
    const name = c.kind === 'raw' ? c.head : c.key, text = value.replace(/^([-−]?\d+),(\d+)$/, '$1.$2').replace('−', '-');
    const {labels} = this.raw, was = this.raw.cells[name][i], before = this.rowWords(i);
    this.run++;
    const id = this.send('edit', {at: i, row: labels[i], column: c.key, value: text});
    this.typed.push({id, labels, edit: [i, name, text]});
    this.withTyped(this.state);
    this.sums.weigh(this.w);
    this.grid.show(this.state, this.raw, this.view);
    this.numbers();
    const after = this.rowWords(i), words = after.map(([what, v], k) => `${what} ${before[k][1]} → ${v}`).join(', ');
    this.tellEffect(text && {i, name, text, words: withMinus(`Row ${labels[i]}: ${name} ${was} → ${text}; ${words}`)});
  }
  rowWords(i) {
    const {preds, y, loss} = this.sums;
    const shown = loss < 1000 ? loss.toFixed(4) : fmt(loss);
    return [['prediction', cellText(preds[i])], ['error²', cellText((preds[i] - y[i])**2)], ['mean loss', shown]];
  }
  /** A computed number cannot be typed over: the way back to what can is shown. */
  refused(row, c) {
    const what = c.kind === 'number' ? 'This number is made from the raw table' : 'This number is computed';
    if (row >= 0) this.root.warn(`${what}. Change a coefficient above, or a cell of the raw table.`);
  }
  look() {
    const {row, column: c} = this.grid;
    this.root.warn('');
    if (this.edited && row !== this.edited.i) this.tellEffect(null);
    if (row >= 0) this.line.latest('look', {at: row, column: c.key});
    else if (c.j !== undefined) this.line.latest('look', {at: -1, column: `${this.state.sets[row + this.grid.sets]} of ${this.state.columns[c.j]}`});
    this.slide(this.state);
    this.product.show({state: this.state, sums: this.sums, raw: this.raw, row: this.grid.row});
    this.root.say(this.words());
  }
  words() {
    const {row, column: c} = this.grid, s = row + this.grid.sets;
    if (row < 0) return `${this.state.sets[s]} of ${c.head} ${this.grid.hasCoeff(c, s) ? fmt(this.sums.w[c.j][s]) : ''}`;
    return `${c.key}, row ${this.raw.labels[row]}: ${c.kind === 'raw' ? this.raw.cells[c.head][row] : fmt(this.sums.at(row, c))}`;
  }
  /** From a line of the trace to its cell, in another view if need be. */
  goTo(at, column) {
    const [, name, of] = /^(w\d?) of (.*)$/.exec(column) || [];
    const key = of !== undefined && this.state.columns.includes(of) ? of : column;
    if (!this.grid.columns.some(c => c.key === key)) {
      const found = VIEWS.find(([view]) => sheetColumns(this.state, view).some(c => c.key === key));
      if (found) this.turnTo(found[0]);
    }
    const col = this.grid.columns.findIndex(c => c.key === key);
    this.grid.go(of !== undefined ? this.state.sets.indexOf(name) - this.grid.sets : at, col);
    this.grid.node.focus({preventScroll: true});
  }
  turnTo(view) {
    this.view = view;
    for (const b of this.views) b.setAttribute('aria-pressed', String(b.view === view));
    this.grid.stop();
    this.grid.show(this.state, this.raw, view);
  }

  // A slider for the coefficients of the column under the hand
  slide(s) {
    const {column: c} = this.grid, j = c?.j, wanted = j === undefined ? '' : `${s.columns[j]}|${s.sets.length}`;
    if (wanted !== this.sliding) this.makeSliders(wanted, j, s);
    this.sliders?.forEach((t, k) => { t.set(this.w[j][k], -2, 2); t.say(slopeWords(s.slopes[j][k], s.settled[j][k], s.rows)); });
  }
  makeSliders(wanted, j, s) {
    this.sliders?.forEach(t => t.close());
    this.sliding = wanted;
    this.sliders = j === undefined ? [] : s.sets.map((name, k) => slider(name, {lo: -2, hi: 2, value: this.w[j][k], label: name, step: .01},
      v => this.drag(j, k, v), v => this.drag(j, k, v, true)));
    const title = j === undefined ? 'Choose a number, a product or a coefficient to move its coefficient here.' : `Coefficient of ${s.columns[j]}`;
    this.knobs.replaceChildren(el('div', {class: j === undefined ? 'cw-note' : 'cw-sheet-title'}, title), ...this.sliders.map(t => t.node));
  }
  drag(j, k, value, rest = false) {
    this.weigh(j, k, value);
    const args = {column: this.state.columns[j], value, which: k, run: this.run};
    if (!rest) return this.line.latest('drag', args);
    this.send('put', args);
    this.run++;
  }

  close() {
    this.pause();
    this.sliders?.forEach(t => t.close());
    this.line.close();
    this.grid.close();
    this.root.close();
    for (const [name, f] of Object.entries(this.listeners)) this.model.off(name, f);
  }
}

export default {render(context) { const view = new SheetView(context); return () => view.close(); }};
