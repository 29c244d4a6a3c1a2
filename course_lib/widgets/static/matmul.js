// A matrix product cell by cell, and a whole layer: MatmulVisualizer. The numbers and formulas come from Python, which
// has them from course_lib.maths.matmul; stepping, playing and pointing happen here.

const SPEEDS = {slow: 1.2, normal: 2.5, fast: 8};
const MINUS = /-/g;
const plural = (n, noun) => `${n} ${noun}${n === 1 ? '' : 's'}`;

/** A shape with the numbers that have to agree marked: parts is a list of [text, inner]. */
function shapeNodes(parts, fits) {
  return parts.map(([text, inner]) => inner ? el('b', {class: `cw-mm-inner${fits ? '' : ' cw-mm-bad'}`}, text) : text);
}

/** Editing one part as text: rows and columns more or fewer, transposed, or pasted. */
class PartEditor {
  constructor(view, part) {
    Object.assign(this, {view, part, dirty: false});
    const size = (which, by) => button(by > 0 ? '+' : '−', () => this.resize(which, by), {kind: 'cw-mm-small'});
    this.title = el('b', {});
    this.area = el('textarea', {class: 'cw-text cw-mm-text', spellcheck: 'false', autocomplete: 'off'});
    this.buttons = {};
    for (const which of part === 'bias' ? [] : ['row', 'column']) this.buttons[which] = [size(which, -1), size(which, 1)];
    this.turn = part === 'bias' ? null : button('Transpose', () => view.edit('transpose', {part}), {kind: 'cw-mm-small'});
    const sizes = Object.entries(this.buttons).map(([which, pair]) => el('span', {class: 'cw-mm-size'}, `${which}s`, ...pair));
    this.node = el('div', {class: 'cw-mm-editor'}, el('div', {class: 'cw-row'}, this.title, ...sizes, this.turn), this.area);
    this.area.addEventListener('input', () => { this.dirty = true; });
    this.area.addEventListener('change', () => this.commit());
    this.area.addEventListener('paste', () => { this.timer = setTimeout(() => this.commit()); });  // by then the text is there
    this.area.addEventListener('keydown', e => { if (e.key === 'Enter' && (e.ctrlKey || e.metaKey)) this.commit(); });
  }
  resize(which, by) {
    const [rows, cols] = this.shape;
    this.view.edit('resize', {part: this.part, rows: rows + by*(which === 'row'), cols: cols + by*(which === 'column')});
  }
  commit() {
    if (!this.dirty) return;
    this.dirty = false;
    this.bad(false);
    this.asked = this.view.edit('text', {part: this.part, text: this.area.value});
  }
  bad(on) { this.area.classList.toggle('cw-mm-wrong', on); this.area.setAttribute('aria-invalid', String(on)); }
  /** Python's answer. What could not be read stays, to be mended. */
  heard(s, changed) {
    const p = s.parts[this.part];
    this.node.hidden = !p;
    if (!p) return;
    this.shape = p.shape;
    const name = p.name;
    this.title.textContent = this.part === 'bias' ? `${name} (bias)` : name;
    this.area.setAttribute('aria-label', `${name} as text, one row to a line; Control+Enter reads it`);
    this.area.rows = this.part === 'bias' ? 1 : Math.min(Math.max(p.shape[0], 2), 6);
    for (const [which, [less, more]] of Object.entries(this.buttons)) {
      const n = p.shape[which === 'row' ? 0 : 1];
      less.setAttribute('aria-label', `one ${which} fewer in ${name}`); more.setAttribute('aria-label', `one ${which} more in ${name}`);
      less.disabled = n <= 1; more.disabled = n >= s.most;
    }
    if (this.turn) this.turn.setAttribute('aria-label', `Transpose ${name}`);
    const failed = this.asked && s.ack === this.asked && s.message;
    if (failed) this.bad(true);
    else if (!this.dirty && changed) { this.bad(false); this.area.value = p.text; }
  }
}

/** The tables: a on the left, b above, the result where they cross; for a layer, bias and output to the right. */
class Tables {
  constructor(view) {
    this.view = view;
    this.node = el('div', {class: 'cw-mm-board'});
    this.marked = [];
  }
  /** Make the tables anew, for other shapes or another mode; what is being typed stays. */
  build(s) {
    const held = this.held();
    const layer = s.mode === 'layer', {a, b, bias} = s.parts, fits = a.shape[1] === b.shape[0];
    const out = s.cells.length ? [a.shape[0], b.shape[1]] : null;
    this.cells = {};
    this.node.classList.toggle('cw-mm-crowded', s.crowded);
    const A = this.matrix('a', a.shape, a.name, [[`(${a.shape[0]}, `], [`${a.shape[1]}`, true], [')']], fits);
    const B = this.matrix('b', b.shape, b.name, [['('], [`${b.shape[0]}`, true], [`, ${b.shape[1]})`]], fits);
    const product = out ? this.matrix(layer ? 'product' : 'out', out, layer ? `${a.name} @ ${b.name}` : `${s.names.out} = ${a.name} @ ${b.name}`,
      [[`(${out.join(', ')})`]]) : this.nothing(fits);
    const more = layer ? this.layerTables(s, bias, out) : [];
    this.building = true;  // what loses the focus now was not left by the learner
    this.node.replaceChildren(place(A, 'a'), place(B, 'b'), place(product, 'c'), ...more);
    this.building = false;
    this.node.classList.toggle('cw-mm-layer', layer);
    this.roving = this.cells.out?.[0][0] ?? null;
    if (this.roving) this.roving.tabIndex = 0;
    this.restore(held);
  }
  layerTables(s, bias, out) {
    const n = bias.shape[1], flat = bias.shape[0] === 1;
    const top = this.matrix('bias', bias.shape, bias.name, [[flat ? `(${n},)` : `(${bias.shape.join(', ')})`]]);
    if (!out) return [place(top, 'bias')];
    const spread = this.matrix('spread', out, `+ ${bias.name}, in each row`, [[`(1, ${n}) → (${out.join(', ')})`]]);
    const last = this.matrix('out', out, s.relu ? `ReLU → ${s.names.out}` : `= ${s.names.out}`, [[`(${out.join(', ')})`]]);
    return [place(top, 'bias'), place(spread, 'spread'), place(last, 'out')];
  }
  nothing(fits) {
    const cross = el('span', {'aria-hidden': 'true'}, '✗ ');
    return el('div', {class: 'cw-mm-nothing'}, cross, `no result: the ${fits ? 'bias does' : 'shapes do'} not fit`);
  }
  matrix(part, [rows, cols], name, shape, fits = true) {
    const editable = ['a', 'b', 'bias'].includes(part), words = `${name}, ${plural(rows, 'row')}, ${plural(cols, 'column')}`;
    const caption = el('caption', {}, el('span', {}, el('b', {}, name), el('br'), ...shapeNodes(shape, fits)));
    const head = el('tr', {}, el('td', {class: 'cw-mm-none'}), ...Array.from({length: cols}, (_, j) => el('th', {scope: 'col'}, String(j))));
    this.cells[part] = Array.from({length: rows}, (_, i) => Array.from({length: cols}, (_, j) =>
      editable ? this.input(part, i, j, name) : this.result(part, i, j)));
    const body = this.cells[part].map((row, i) => el('tr', {}, el('th', {scope: 'row'}, String(i)), ...row));
    return el('table', {class: `cw-mm-matrix cw-mm-${part}`, 'aria-label': words}, caption, el('thead', {}, head), el('tbody', {}, ...body));
  }
}

/** Cells to type into. They show few digits, and all of them while one types. In a crowd only the first is reached with Tab. */
class TypedTables extends Tables {
  input(part, i, j, name) {
    const box = el('input', {type: 'text', class: 'cw-mm-input', inputmode: 'decimal', autocomplete: 'off',
                             tabindex: this.view.state.crowded && (i || j) ? '-1' : '0', 'aria-label': `${name}, row ${i}, column ${j}`});
    const td = Object.assign(el('td', {}, box), {box, table: part});
    box.addEventListener('focus', () => { if (!td.wrong) { td.was = box.value = td.exact; box.select(); } });
    box.addEventListener('blur', () => this.commit(td, i, j));
    box.addEventListener('keydown', e => this.cellKey(e, part, i, j));
    box.addEventListener('paste', e => {
      const text = e.clipboardData.getData('text').trim();
      if (!/[\s,;]/.test(text)) return;  // one number goes where the cursor is
      e.preventDefault();
      box.value = td.was;
      this.view.edit('cell', {part, i, j, text});
    });
    return td;
  }
  commit(td, i, j) {
    const text = td.box.value.trim();
    if (this.building) return;
    if (text === td.was) { if (!td.wrong) td.box.value = td.shown; return; }
    this.wrong(td, false);
    td.was = text;
    td.asked = this.view.edit('cell', {part: td.table, i, j, text});
  }
  wrong(td, on) { td.wrong = on; td.classList.toggle('cw-mm-wrong', on); td.box.setAttribute('aria-invalid', String(on)); }
  cellKey(e, part, i, j) {
    const box = e.target, start = box.selectionStart, end = box.selectionEnd, all = start === 0 && end === box.value.length;
    const [di, dj] = {ArrowUp: [-1, 0], ArrowDown: [1, 0], Enter: [1, 0],
      ArrowLeft: all || end === 0 ? [0, -1] : [0, 0], ArrowRight: all || start === box.value.length ? [0, 1] : [0, 0]}[e.key] || [0, 0];
    if (e.key === 'Escape') { const td = this.cells[part][i][j]; this.wrong(td, false); td.was = box.value = td.exact; box.select(); }
    if (!di && !dj) return;
    const next = this.cells[part][i + di]?.[j + dj];
    e.preventDefault();
    if (next) next.box.focus(); else if (e.key === 'Enter') { this.commit(this.cells[part][i][j], i, j); }
  }
  held() {
    const td = document.activeElement?.closest?.('.cw-mm-board td');
    if (!td || !this.node.contains(td)) return null;
    const row = td.parentNode, i = [...row.parentNode.children].indexOf(row), j = [...row.children].indexOf(td) - 1;
    return {part: td.table, i, j, text: td.box && td.box.value !== td.was ? td.box.value : null};
  }
  restore(held) {
    const td = held && this.cells[held.part]?.[held.i]?.[held.j];
    if (!td) return;
    this.pending = () => { (td.box || td).focus({preventScroll: true}); if (held.text !== null) td.box.value = held.text; };
  }
}

/** Cells of the result: one of them can be reached with Tab, the others with the arrows. */
class ResultTables extends TypedTables {
  result(part, i, j) {
    const td = Object.assign(el('td', {tabindex: part === 'out' ? '-1' : null}), {table: part});
    td.addEventListener('mouseenter', () => this.view.point(i, j));
    td.addEventListener('mouseleave', () => this.view.point(null));
    td.addEventListener('click', () => this.view.pick(i, j));
    if (part !== 'out') return td;
    td.addEventListener('focus', () => { this.rove(td); this.view.pick(i, j); });
    td.addEventListener('keydown', e => {
      const [di, dj] = {ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1]}[e.key] || [0, 0];
      if (di || dj) e.preventDefault();
      if (di || dj) this.cells.out[i + di]?.[j + dj]?.focus();
    });
    return td;
  }
  rove(td) { if (this.roving) this.roving.tabIndex = -1; this.roving = td; td.tabIndex = 0; }
  /** Cells up to `now` are known, that one up to `part`; those after it are still dots. */
  progress(s, now, part) {
    const cols = s.parts.b.shape[1], layer = s.mode === 'layer', k = s.parts.a.shape[1];
    s.cells.forEach((c, n) => {
      const i = Math.floor(n/cols), j = n % cols, known = n < now ? Infinity : n === now ? part : -1;
      const whole = known >= c.running.length - 1, words = `row ${i}, column ${j}: ${whole ? c.formula : 'not yet'}`;
      const values = c.brief || c.running, sum = known < 0 ? '·' : values[Math.min(known, k - 1)];
      if (layer) this.cells.product[i][j].textContent = sum;
      this.showResult(this.cells.out[i][j], layer ? (known < k ? '·' : known === k ? values[k] : values.at(-1)) : sum,
        layer && c.zeroed && known > k ? values[k] : '', words);
    });
  }
  /** `gone` is the negative number that ReLU has turned into 0. */
  showResult(td, text, gone, words) {
    td.replaceChildren(...(gone ? [el('s', {}, gone), el('span', {}, text)] : [text]));
    td.classList.toggle('cw-mm-zero', Boolean(gone));
    td.classList.toggle('cw-mm-todo', text === '·');
    td.setAttribute('aria-label', words);
  }
  /** Outline row i of a, column j of b and the cell where they meet; `part` of the sum is computed now, if any. */
  light(at, part = null) {
    for (const [td, name] of this.marked) td.classList.remove(name);
    this.marked = [];
    if (!at || !this.cells.out) return;
    const [i, j] = at, on = (td, ...names) => { for (const n of names) { td.classList.add(n); this.marked.push([td, n]); } };
    const row = this.cells.a[i], col = this.cells.b.map(r => r[j]), meet = this.cells.product || this.cells.out;
    row.forEach((td, k) => on(td, 'cw-mm-row', ...(k === 0 ? ['cw-mm-first'] : []), ...(k === row.length - 1 ? ['cw-mm-last'] : [])));
    col.forEach((td, k) => on(td, 'cw-mm-col', ...(k === 0 ? ['cw-mm-first'] : []), ...(k === col.length - 1 ? ['cw-mm-last'] : [])));
    for (let c = 0; c < j; c++) on(meet[i][c], 'cw-mm-beam');
    for (let r = 0; r < i; r++) on(meet[r][j], 'cw-mm-beam');
    const k = row.length, all = ['product', 'spread', 'bias', 'out'];
    const busy = part === null || part === k ? all : part < k && this.cells.product ? ['product'] : ['out'];
    for (const name of busy) if (this.cells[name]) on(this.cells[name][name === 'bias' ? 0 : i][j], 'cw-mm-here');
    if (part !== null && part < k) { on(row[part], 'cw-mm-pair'); on(col[part], 'cw-mm-pair'); }
  }
}

/** All of it, filled with numbers. */
class Board extends ResultTables {
  /** Put in the numbers of the two matrices and of the bias. */
  fill(s) {
    for (const [part, p] of Object.entries(s.parts)) {
      const exact = p.text.split('\n').map(row => row.split(' '));
      this.cells[part].forEach((row, i) => row.forEach((td, j) => this.fillCell(td, s, exact[i][j], p.shown[i][j])));
    }
    const spread = this.cells.spread;
    if (spread) spread.forEach(row => row.forEach((td, j) => { td.textContent = s.parts.bias.shown[0][j]; }));
    const widest = Math.max(...Object.values(s.parts).flatMap(p => p.shown.flat()).map(t => t.length),
      ...s.cells.flatMap(c => c.brief || c.running).map(t => t.length));
    this.node.style.setProperty('--mm-chars', s.crowded ? Math.min(Math.max(widest, 2), 5) : Math.min(Math.max(widest, 3), 9));
    if (this.pending) { this.pending(); this.pending = null; }
  }
  fillCell(td, s, exact, shown) {
    const typing = document.activeElement === td.box && td.box.value !== td.was;
    const failed = td.asked && td.asked === s.ack;
    if (failed && s.message) this.wrong(td, true);
    else if (failed || td.exact !== exact) this.wrong(td, false);
    Object.assign(td, {exact, shown});
    if (typing || td.wrong) return;
    td.was = exact;
    td.box.value = document.activeElement === td.box ? exact : shown;
    td.box.title = exact.length > shown.length ? exact.replace(MINUS, '−') : '';
  }
  /** About how wide the tables are, in CSS pixels. */
  width(s) {
    const layer = s.mode === 'layer', n = s.parts.b.shape[1], chars = Number(this.node.style.getPropertyValue('--mm-chars'));
    return (s.parts.a.shape[1] + n*(layer ? 3 : 1))*(chars*7.5 + 16) + (layer ? 150 : 65);
  }
}

/** What is added up in one cell, as it is written in its formula. */
const termsOf = c => c.formula.split(' = ')[0].split(' + ');
const place = (node, area) => { node.style.gridArea = area; return node; };

/** What the view consists of. */
class MatmulParts {
  get state() { return this.model.get('state'); }
  build() {
    this.board = new Board(this);
    this.modes = ['product', 'layer'].map(mode => button(mode === 'product' ? 'Product a @ b' : 'Layer: x @ w + b, ReLU',
      () => this.edit('mode', {mode}), {pressed: false}));
    this.shapes = el('div', {class: 'cw-mm-shapes'});
    this.formula = el('div', {class: 'cw-mm-formula'});
    this.so = el('div', {class: 'cw-mm-so'});
    this.why = el('div', {class: 'cw-message cw-mm-why', role: 'status', hidden: true});
    this.note = el('div', {class: 'cw-note'});
    this.scroll = el('div', {class: 'cw-mm-scroll'}, this.board.node);
    this.readout = el('div', {class: 'cw-mm-readout'}, this.formula, this.so);
    this.makePlayer();
    this.left = el('div', {class: 'cw-mm-left'}, this.scroll, this.why, this.readout, this.controls, this.note);
    const modes = el('div', {class: 'cw-row', role: 'group', 'aria-label': 'what to show'}, ...this.modes);
    this.root.body(el('div', {class: 'cw-mm'}, el('div', {class: 'cw-row cw-mm-top'}, modes, this.shapes),
      this.columns = el('div', {class: 'cw-columns'}, this.left, this.panel())));
  }
  panel() {
    this.editors = ['a', 'b', 'bias'].map(part => new PartEditor(this, part));
    this.relu = toggle('ReLU', true, on => this.edit('relu', {on}));
    this.undo = button('↶ Undo', () => this.edit('undo'), {title: 'Ctrl+Z'});
    this.redo = button('↷ Redo', () => this.edit('redo'), {title: 'Ctrl+Y'});
    this.swap = button('Swap', () => this.edit('swap'), {title: 'exchange the two matrices'});
    this.reset = button('Reset', () => this.edit('reset'), {title: 'R: back to the first matrices'});
    this.code = codeBox(this.line);
    return el('div', {class: 'cw-panel cw-mm-panel'},
      el('div', {class: 'cw-row'}, this.undo, this.redo, this.reset, this.swap, this.relu),
      el('div', {class: 'cw-mm-editors'}, ...this.editors.map(e => e.node)),
      el('div', {class: 'cw-note'}, 'Type into the cells, or paste rows into a box.'),
      this.code.node);
  }
  makePlayer() {
    this.player = player(1, (i, p) => this.frame(i, p), {fps: SPEEDS.normal});
    const step = this.player.step;
    this.player.step = by => this.player.i >= this.player.n - 1 && by > 0 ? (this.player.pause(), this.player.show(1)) : step(by);
    const grain = choice('step by', [['number', 'product'], ['cell', 'cell']], 'number', v => { this.by = v; this.frames(true); });
    const speed = choice('speed', Object.keys(SPEEDS).map(v => [v, v]), 'normal', v => {
      const going = this.player.playing;
      this.player.pause();
      this.player.fps = SPEEDS[v];
      if (going) this.player.play();
    });
    this.controls = el('div', {class: 'cw-mm-controls'}, this.player.node, el('div', {class: 'cw-row'}, grain, speed));
  }
}

/** What the eye sees: the tables lit up, and the formula in words. */
class MatmulWords extends MatmulParts {
  show() {
    const s = this.state, all = s.cells.length, steps = s.cells[0]?.running.length;
    if (!all) return this.board.light(null);
    const now = this.now || {cell: -1, part: -1};
    this.board.progress(s, this.stepping ? now.cell : all, this.stepping ? now.part : steps);
    const mine = this.stepping ? this.now && this.where(now.cell) : this.picked, at = this.pointed || mine;
    const part = this.stepping && !this.pointed && this.by === 'number' ? now.part : steps;
    this.board.light(at, part < steps ? part : null);
    this.say(at, part);
  }
  say(at, part) {
    const s = this.state, c = at && s.cells[at[0]*s.parts.b.shape[1] + at[1]], out = s.names.out;
    if (!c) {
      this.formula.replaceChildren('Nothing is computed yet.');
      this.so.textContent = `Step: one ${this.by === 'cell' ? 'cell' : 'product'} at a time.`;
      return;
    }
    const done = part >= c.running.length - 1;
    const terms = termsOf(c).flatMap((t, k) => [...(k ? [' + '] : []), this.term(t, k, at, part, c)]);
    const tail = c.formula.slice(c.formula.indexOf(' = '));
    this.formula.replaceChildren(el('b', {}, `${out}[${at.join(', ')}]`), ' = ', ...terms, done ? el('b', {class: 'cw-mm-tail'}, tail) : ' = …');
    this.so.textContent = this.words(c, part);
    this.readout.style.minHeight = `${this.readout.offsetHeight}px`;  // it only grows, so that the buttons below stay where they are
  }
  /** Bring the cell that is computed now into the box that scrolls. */
  follow([i, j]) {
    const box = this.scroll.getBoundingClientRect(), td = this.board.cells.out[i][j].getBoundingClientRect();
    const by = (lo, hi, from, to) => lo < from ? lo - from - 8 : hi > to ? hi - to + 8 : 0;
    this.scroll.scrollBy(by(td.left, td.right, box.left, box.right), by(td.top, td.bottom, box.top, box.bottom));
  }
  term(text, k, at, part, c) {
    const mark = part >= c.running.length ? '' : k === part ? 'cw-mm-now' : k < part ? '' : 'cw-mm-later';
    return el('span', {class: `cw-mm-term ${mark}`, onmouseenter: () => this.board.light(at, k), onmouseleave: () => this.show()}, text);
  }
  words(c, part) {
    const s = this.state, k = s.parts.a.shape[1], before = part ? c.running[part - 1] : '0';
    const more = s.mode === 'layer' ? `, then the bias${s.relu ? ', then ReLU' : ''}` : '';
    if (part >= c.running.length) return `A row times a column: the numbers are multiplied in pairs and added up${more}.`;
    if (part < k) return `${termsOf(c)[part]} = ${c.products[part]}; the sum so far: ${before} + ${c.products[part]} = ${c.running[part]}`;
    if (part === k) return `plus the ${termsOf(c)[k]}: ${before} becomes ${c.running[k]}`;
    return c.zeroed ? `ReLU: ${before} is negative, so it becomes 0` : `ReLU: ${before} is not negative, so it stays`;
  }
}

/** What the hand does, and the frames: 0 nothing is known, then a part or a cell more with each. */
class MatmulSteps extends MatmulWords {
  edit(op, args = {}) { this.player.pause(); return this.line.send(op, args); }
  point(i, j) {
    if (this.player.playing) return;
    this.pointed = i === null ? null : [i, j];
    this.show();
  }
  pick(i, j) {
    if (this.player.playing) return;
    const same = this.picked && this.picked[0] === i && this.picked[1] === j;
    Object.assign(this, {picked: [i, j], pointed: null, stepping: false});  // what was done last counts, not where the mouse lies
    this.show();
    if (same) return;
    this.look();
  }
  /** Tell Python, when at rest, which cell is looked at: the picture that stays shows it. */
  look() {
    clearTimeout(this.looking);
    this.looking = setTimeout(() => {
      if (!this.picked || !this.line.idle || this.state.message) return;  // a message stays to be read
      this.line.latest('look', {i: this.picked[0], j: this.picked[1]});
    }, 500);
  }
  get parts() { return this.by === 'cell' ? 1 : this.state.cells[0]?.running.length ?? 1; }
  frames(keep = false) {
    const cells = this.state.cells, n = cells.length*this.parts + 1, done = this.player.i >= this.player.n - 1;
    const at = keep && !done && this.now ? this.now.cell*this.parts + Math.min(this.now.part, this.parts - 1) + 1 : n - 1;
    this.quiet = true;
    this.player.set(n, at);
    this.quiet = false;
    this.show();
  }
  frame(i, p) {
    const last = this.state.cells[0]?.running.length - 1, per = this.parts, n = i - 1;
    this.now = i === 0 || !this.state.cells.length ? null : {cell: Math.floor(n/per), part: this.by === 'cell' ? last : n % per};
    if (this.quiet) return;
    this.stepping = true;
    this.pointed = null;
    if (this.now) this.picked = this.where(this.now.cell);
    this.show();
    if (this.now) this.follow(this.picked);
    if (!p.playing) { this.root.say(this.so.textContent); this.look(); }
  }
  where(cell) { const cols = this.state.parts.b.shape[1]; return [Math.floor(cell/cols), cell % cols]; }
}

/** What Python says. */
class MatmulAnswers extends MatmulSteps {
  heard() {
    const s = this.state, layer = s.mode === 'layer';
    const form = JSON.stringify([s.mode, s.relu, s.cells.length, ...Object.values(s.parts).map(p => p.shape)]);
    const numbers = JSON.stringify(Object.values(s.parts).map(p => p.text)), changed = form + numbers !== this.seen;
    this.paint(s.colours);
    if (form !== this.form) this.board.build(s);
    if (changed && this.seen) this.picked = this.tidyAt(s);
    this.board.fill(s);
    if (changed) this.frames();
    Object.assign(this, {form, seen: form + numbers});
    this.editors.forEach(e => e.heard(s, changed));
    this.modes.forEach((b, i) => b.setAttribute('aria-pressed', String((i === 1) === layer)));
    this.relu.hidden = !layer; this.relu.box.checked = s.relu;
    this.swap.hidden = layer;
    this.undo.disabled = !s.can_undo; this.redo.disabled = !s.can_redo;
    this.root.root.setAttribute('aria-label', layer ? 'A layer, step by step' : 'A matrix product, step by step');
    this.root.warn(s.message);
    this.code.show(s.code);
    this.note.textContent = s.note;
    this.shapeLine(s);
    this.reason(s, changed);
    if (changed) this.root.say(s.alt);
  }
  paint({data, curve, descent}) {
    for (const [name, colour] of Object.entries({row: data, col: curve, here: descent})) this.root.root.style.setProperty(`--mm-${name}`, colour);
  }
  shapeLine(s) {
    const {a, b, bias} = s.parts, fits = a.shape[1] === b.shape[0], result = `(${a.shape[0]}, ${b.shape[1]})`;
    const inner = fits ? `${a.shape[1]} = ${b.shape[0]} ✓` : `${a.shape[1]} ≠ ${b.shape[0]} ✗`;
    const plus = bias ? (bias.shape[0] === 1 ? ` + (${bias.shape[1]},)` : ` + (${bias.shape.join(', ')})`) : '';
    const end = s.cells.length ? `${bias && s.relu ? ' → ReLU' : ''} → ${result}` : ' → no result';
    const parts = [[`(${a.shape[0]}, `], [`${a.shape[1]}`, true], [') @ ('], [`${b.shape[0]}`, true], [`, ${b.shape[1]})${plus}${end}`]];
    const has = bias && (bias.shape[0] === 1 ? bias.shape[1] : bias.shape.join(' × '));
    const misfit = fits && s.why ? `, bias: ${has} ≠ ${b.shape[1]} ✗` : '';
    this.shapes.replaceChildren(el('span', {class: 'cw-mm-sum'}, ...shapeNodes(parts, fits)),
      el('span', {class: 'cw-note'}, `inner numbers: ${inner}${misfit}`));
  }
  reason(s, changed) {
    this.why.hidden = !s.why;
    this.readout.hidden = this.controls.hidden = Boolean(s.why);
    this.columns.classList.toggle('cw-mm-big', this.board.width(s) > 460);
    if (!changed) return;
    this.readout.style.minHeight = '';
    this.why.replaceChildren(...(s.why ? [el('div', {}, s.why), el('div', {class: 'cw-row'}, ...s.remedies.map(r =>
      button(r.label, () => this.edit(r.op, r.args), {kind: 'cw-main'})))] : []));
  }
  tidyAt(s) { return s.cells.length ? s.at : null; }
}

/** The whole view. */
class MatmulView extends MatmulAnswers {
  constructor({model, el: holder}) {
    super();
    Object.assign(this, {model, pointed: null, picked: this.tidyAt(model.get('state')), stepping: false, by: 'number'});
    this.root = makeRoot({model, el: holder}, {
      label: 'A matrix product, step by step',
      hint: 'Keys: S step, B back, Space play, Ctrl+Z undo, Ctrl+Y or Ctrl+Shift+Z redo, R reset; arrows go from cell to cell',
      keys: {s: () => this.player.step(1), b: () => this.player.step(-1), ' ': () => this.player.toggle(),
             r: () => this.edit('reset'), 'Ctrl+z': () => this.edit('undo'), 'Ctrl+y': () => this.edit('redo'),
             'Ctrl+Shift+z': () => this.edit('redo')}});
    this.line = new Line(model, busy => this.root.warn(busy ? BUSY : this.state.message));
    this.build();
    this.listen = () => this.heard();
    model.on('change:state', this.listen);
    this.heard();
  }
  close() {
    this.player.pause();
    clearTimeout(this.looking);
    for (const e of this.editors) clearTimeout(e.timer);
    this.line.close();
    this.root.close();
    this.model.off('change:state', this.listen);
  }
}

export default {render(context) { const view = new MatmulView(context); return () => view.close(); }};
