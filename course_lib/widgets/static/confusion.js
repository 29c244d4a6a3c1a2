// The confusion matrix as a grid of buttons, and the images behind the one that was pressed: ConfusionExplorer.
// The object behind it is course_lib.explain.cells.Confusions. A part of the matrix is {actual, predicted, wrong}: null stands for all.

const CONFUSION_HINT = 'Matrix: arrows move, Enter shows. Images: arrows move, Space selects, Shift+arrows select several, Ctrl+A all, '
  + 'Z or Enter large, Page Up and Page Down turn the page, Esc lets go';
const PER_PAGE = [12, 24, 48, 96];
const partKey = part => [part.actual, part.predicted, part.wrong].join();
const share = (n, of) => of ? percent(n/of) : '–';

// ---- The matrix

/**
 * A table of buttons. Row and column −1 are the names, row and column n the totals, column n + 1 the share of each class
 * that was not recognised. One button can be reached by Tab, the others from there by the arrow keys. Of many classes
 * most pairs never occur: those cells stay empty, which also keeps ten thousand buttons off the page.
 */
class MatrixGrid {
  /** `onshow(part)` hears what is to be shown. */
  constructor(matrix, onshow) {
    Object.assign(this, {matrix, n: matrix.vocab.length, onshow, buttons: new Map(), chosen: null, at: null});
    this.readout = el('div', {class: 'cw-note cw-confusion-readout', 'aria-hidden': 'true'});
    this.table = el('table', {class: 'cw-confusion-table', role: 'grid',
      'aria-label': 'confusion matrix: rows are actual classes, columns predicted ones'});
    this.fill();
    this.scroll = el('div', {class: 'cw-confusion-scroll'}, this.table);
    this.node = el('div', {}, this.scroll, this.readout);
    this.listen();
  }
  listen() {
    const of = e => e.target.closest('button');
    this.table.addEventListener('click', e => of(e) && this.press(of(e)));
    this.table.addEventListener('keydown', e => this.key(e));
    for (const name of ['pointerover', 'focusin']) this.table.addEventListener(name, e => of(e) && this.tell(of(e)));
    this.table.addEventListener('pointerleave', () => this.tell(this.buttons.get(this.chosen)));
  }
  fill() {
    const {n, table} = this, rows = [...Array(n + 1).keys()];
    const longest = Math.max(...this.matrix.columns, 0).toString().length;
    table.classList.toggle('cw-confusion-many', n > 12);
    table.classList.toggle('cw-confusion-upright', n > 5 || this.matrix.vocab.some(v => v.length > 11));
    table.style.setProperty('--wide', `${n > 12 ? Math.max(25, 8 + 6.2*longest) : Math.max(n > 7 ? 46 : 56, 14 + 8*longest)}px`);
    table.append(el('thead', {}, this.row(-1)), el('tbody', {}, ...rows.map(r => this.row(r))));
  }
  row(r) {
    const places = [...Array(this.n + 3).keys()].map(k => k - 1);
    return el('tr', {role: 'row', class: r === this.n ? 'cw-confusion-sum' : null}, ...places.map(c => this.field(r, c)));
  }
  field(r, c) {
    const {n} = this, kind = r < 0 || c < 0 ? 'th' : 'td', part = this.partAt(r, c);
    const role = r < 0 ? 'columnheader' : c < 0 ? 'rowheader' : 'gridcell';
    const place = c < 0 ? 'cw-confusion-name' : r >= 0 && r < n && c < n ? 'cw-confusion-cell' : c >= n ? 'cw-confusion-sum' : null;
    const words = part ? '' : this.caption(r, c), inner = part ? this.makeButton(r, c, part) : words && el('span', {}, words);
    return el(kind, {role, class: place}, inner || null);
  }
  caption(r, c) {
    if (r < 0 && c < 0) return 'actual ↓\npredicted →';
    if (r === this.n) return 'all';
    return r >= 0 ? '' : c === this.n ? 'all' : 'wrong';
  }
  /** Which part of the matrix a button stands for; null where there is none. */
  partAt(r, c) {
    const {n} = this, corner = (r < 0 || r === n) && c < 0 || r < 0 && c >= n;
    if (corner || c > n + 1 || r > n || this.never(r, c)) return null;
    return {actual: r >= 0 && r < n ? r : null, predicted: c >= 0 && c < n ? c : null, wrong: c === n + 1};
  }
  /** Whether a cell stays empty. */
  never(r, c) { return this.n > 12 && r !== c && this.matrix.counts[r]?.[c] === 0; }
  makeButton(r, c, part) {
    const b = el('button', {type: 'button', tabindex: '-1', 'data-r': r, 'data-c': c, 'aria-label': this.words(part)});
    this.buttons.set(partKey(part) + (r < 0 ? 'h' : c < 0 ? 'h' : ''), b);
    if (r < 0 || c < 0) { b.textContent = this.matrix.vocab[r < 0 ? c : r]; b.title = b.textContent; }
    if (r >= 0 && r < this.n && c >= 0 && c < this.n) this.colour(b, r, c);
    return b;
  }
  /** Small shares are lifted, so that three of a hundred can be seen. */
  colour(b, r, c) {
    const part = this.matrix.counts[r][c]/Math.max(this.matrix.rows[r], 1);
    b.classList.toggle('cw-confusion-right', r === c);
    if (part) b.style.setProperty('--share', (part**.4).toFixed(3));
    else b.classList.add('cw-confusion-none');
  }
  words({actual, predicted, wrong}) {
    const {vocab, counts, rows, columns, total, errors} = this.matrix, a = vocab[actual], p = vocab[predicted];
    if (actual !== null && predicted !== null)
      return `${a} ${actual === predicted ? 'recognised' : `taken for ${p}`}: ${this.ofRow(counts[actual][predicted], rows[actual])}`;
    if (actual !== null) return wrong ? `${a} not recognised: ${percent(errors[actual])}` : `all ${a}: ${rows[actual]}`;
    if (predicted !== null) return `all taken for ${p}: ${columns[predicted]}`;
    return wrong ? `all mistakes: ${this.ofRow(this.matrix.wrong, total)}` : `all images: ${total}`;
  }
  ofRow(n, of) { return `${n} of ${of}, ${share(n, of)}`; }
  /** Write the numbers, as counts or as shares of their rows, and mark the part that is shown. */
  show(shares, part) {
    if (shares !== this.shares) this.write(shares);
    const key = partKey(part);
    if (key === this.chosen) return;
    for (const k of [this.chosen, `${this.chosen}h`]) this.buttons.get(k)?.removeAttribute('aria-current');
    this.chosen = key;
    for (const k of [key, `${key}h`]) this.buttons.get(k)?.setAttribute('aria-current', 'true');
    if (!this.table.contains(document.activeElement)) this.stop(this.buttons.get(key));
    this.tell(this.buttons.get(key));
  }
  write(shares) {
    this.shares = shares;
    for (const b of this.buttons.values()) {
      const [r, c] = this.placeOf(b);
      if (r >= 0 && c >= 0) b.textContent = this.number(r, c, shares);
    }
  }
  number(r, c, shares) {
    const {counts, rows, columns, total, errors} = this.matrix, {n} = this;
    if (c === n + 1) return percent(errors[r]);
    if (r === n) return c === n ? total : shares ? this.part(columns[c], total) : columns[c];
    if (c === n) return rows[r];
    return shares ? this.part(counts[r][c], rows[r]) : counts[r][c];
  }
  part(n, of) { return this.n > 12 ? share(n, of).replace(' %', '') : share(n, of); }
  placeOf(b) { return [Number(b.dataset.r), Number(b.dataset.c)]; }
  tell(b) { if (b) setText(this.readout, b.getAttribute('aria-label')); }
  /** The button that Tab leads to. */
  stop(b) {
    if (!b || b === this.at) return;
    this.at?.setAttribute('tabindex', '-1');
    this.at = b;
    b.setAttribute('tabindex', '0');
  }
  press(b) { this.stop(b); this.onshow(this.partAt(...this.placeOf(b))); }
  key(e) {
    const by = {ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1]}[e.key], b = e.target.closest('button');
    if (!b || e.altKey || (!by && e.key !== 'Home' && e.key !== 'End')) return;
    const [r, c] = this.placeOf(b), whole = e.ctrlKey || e.metaKey;
    e.preventDefault();
    if (by) this.move(r, c, by[0], by[1], whole);
    else if (e.key === 'Home') this.focus(whole ? 0 : r, whole || r < 0 || r === this.n ? 0 : -1);
    else this.focus(whole ? this.n : r, r < 0 && !whole ? this.n - 1 : this.n + 1);
  }
  /** To the next button that way; with Ctrl to the last one. */
  move(r, c, down, right, far) {
    for (let [y, x, left] = [r + down, c + right, true]; left && y >= -1 && x >= -1 && y <= this.n && x <= this.n + 1; y += down, x += right) {
      left = !this.partAt(y, x);
      if (!left) { this.focus(y, x); if (far) this.move(y, x, down, right, far); }
    }
  }
  focus(r, c) {
    const b = this.table.querySelector(`button[data-r="${r}"][data-c="${c}"]`);
    this.stop(b);
    b?.focus({preventScroll: true});
    b?.parentNode.scrollIntoView({block: 'nearest', inline: 'nearest'});
  }
}

// ---- The images

class ConfusionCard extends Card {
  fill(item, selected) {
    super.fill(item, selected);
    this.model.set(`→ ${item.pred}`, item.pred === item.label ? '' : percent(item.p));
    this.rest.set(item.loss === null ? '' : `loss ${fmt(item.loss, 3)}`, '');
  }
  mark(item, selected) {
    super.mark(item, selected);
    const both = `${percent(item.p)}; probability of ${item.label} ${percent(item.q)}`;
    const seen = item.pred === item.label ? `recognised, ${percent(item.p)}` : `taken for ${item.pred}, ${both}`;
    this.node.setAttribute('aria-label', `${item.label}, ${seen}; loss ${fmt(item.loss, 3)}; ${item.file}`);
  }
}

/** A page of cards. What is selected is kept by its place in the whole list, so that it outlives the turning of pages. */
class ImageList {
  /** `onchange()` hears of focus and selection, `onturn(by, land)` that an arrow leads off the page, `onopen()` zoom. */
  constructor(store, {onchange, onturn, onopen}) {
    Object.assign(this, {store, onchange, onturn, onopen, cards: [], items: [], first: 0, at: 0, anchor: 0, selected: new Set(), land: null});
    this.node = el('div', {class: 'cw-cards', role: 'listbox', 'aria-multiselectable': 'true', 'aria-label': 'images'});
    this.node.addEventListener('keydown', e => this.key(e));
  }
  get item() { return this.items[this.at] || null; }
  get columns() {
    const shown = this.cards.slice(0, this.items.length), next = shown.findIndex(c => c.node.offsetTop !== shown[0].node.offsetTop);
    return next < 0 ? Math.max(shown.length, 1) : next;
  }
  get places() { return [...this.selected].sort((a, b) => a - b); }
  /** The images of one page; `part` says of what. */
  show(items, {first, found, part}) {
    const had = this.node.contains(document.activeElement), other = part !== this.shown;
    if (other) { this.selected.clear(); this.anchor = 0; }
    if (other || first !== this.first) this.at = this.land === 'last' ? items.length - 1 : Math.min(this.land ?? 0, items.length - 1);
    Object.assign(this, {items, first, found, shown: part, land: null, at: Math.max(0, Math.min(this.at, items.length - 1))});
    while (this.cards.length < items.length) this.addCard();
    this.cards.forEach((card, k) => { card.node.hidden = k >= items.length; });
    this.paint();
    if (had) this.focus();
  }
  addCard() {
    const k = this.cards.length, card = new ConfusionCard(this.store, {quick: [['⌕', 'show it large', () => { this.go(k); this.onopen(); }]]});
    card.node.addEventListener('click', e => this.clicked(k, e));
    card.node.addEventListener('dblclick', () => this.doubled(k));
    card.node.addEventListener('focus', () => { if (this.at !== k) this.go(k, {focus: false}); });
    this.cards.push(card);
    this.node.append(card.node);
  }
  paint() {
    this.items.forEach((item, k) => {
      const card = this.cards[k];
      card.show(item, {selected: this.selected.has(this.first + k)});
      card.node.classList.toggle('cw-here', k === this.at);
      card.node.tabIndex = k === this.at ? 0 : -1;
    });
  }
  pictures() { this.items.forEach((_, k) => this.cards[k].paint()); }
  clicked(k, e) {
    const place = this.first + k;
    if (e.detail > 1 && this.last?.place === place) return;  // the second half of a double click
    this.last = {place, selected: new Set(this.selected), anchor: this.anchor};
    if (e.shiftKey) this.range(this.anchor, place);
    else if (e.ctrlKey || e.metaKey) this.toggle(place);
    else if (this.selected.size === 1 && this.selected.has(place)) this.selected.clear();
    else this.only(place);
    this.go(k);
  }
  /** A double click shows a picture large and leaves what is selected as it was. */
  doubled(k) {
    if (this.last?.place === this.first + k) Object.assign(this, {selected: this.last.selected, anchor: this.last.anchor, last: null});
    this.go(k);
    this.onopen();
  }
  only(place) { this.selected = new Set([place]); this.anchor = place; }
  toggle(place) { if (!this.selected.delete(place)) this.selected.add(place); this.anchor = place; }
  range(from, to) {
    this.selected.clear();
    for (let k = Math.min(from, to); k <= Math.max(from, to); k++) this.selected.add(k);
  }
  toggleAll() {
    if (this.selected.size === this.found) this.selected.clear();
    else for (let k = 0; k < this.found; k++) this.selected.add(k);
    this.go(this.at, {focus: false});
  }
  letGo() { this.selected.clear(); this.go(this.at); }
  go(k, {focus = true} = {}) {
    if (!this.items.length) return;
    this.at = Math.max(0, Math.min(k, this.items.length - 1));
    this.paint();
    if (focus) this.focus();
    this.onchange();
  }
  focus() {
    const card = this.cards[this.at];
    if (!this.items.length || !card) return;
    card.node.focus({preventScroll: true});
    card.node.scrollIntoView({block: 'nearest'});
  }
  key(e) {
    const name = keyName(e), arrow = {ArrowLeft: -1, ArrowRight: 1, ArrowUp: -this.columns, ArrowDown: this.columns}[e.key];
    const toggle = () => { this.toggle(this.first + this.at); this.go(this.at); };
    const acts = {' ': toggle, x: toggle,
      'Ctrl+a': () => this.toggleAll(), a: () => this.toggleAll(),
      Enter: () => this.onopen(), z: () => this.onopen(), Escape: () => this.letGo(),
      Home: () => this.go(0), End: () => this.go(this.items.length - 1), PageDown: () => this.onturn(1, 0), PageUp: () => this.onturn(-1, 0)};
    if (e.altKey || e.target.closest('button') || (!arrow && !acts[name]) || (arrow && (e.ctrlKey || e.metaKey))) return;
    e.preventDefault();
    if (arrow) this.step(arrow, e.shiftKey); else acts[name]();
  }
  /** One step by an arrow; past the ends lies another page, and a row that is shorter ends with its last card. */
  step(by, extend) {
    let to = this.at + by;
    if (by > 1 && to >= this.items.length && Math.floor(this.at/by) < Math.floor((this.items.length - 1)/by)) to = this.items.length - 1;
    if (to < 0 || to >= this.items.length) return extend ? null : this.onturn(Math.sign(by), by > 0 ? 0 : 'last');
    if (extend) this.range(this.anchor, this.first + to);
    else this.anchor = this.first + to;
    this.go(to);
  }
}

// ---- The view

class ConfusionView {
  constructor({model, el: holder}) {
    this.model = model;
    this.root = makeRoot({model, el: holder}, {label: 'confusion matrix with its images', hint: CONFUSION_HINT});
    this.root.root.classList.add('cw-confusion');
    this.line = new Line(model, busy => this.root.warn(busy && !this.sending ? BUSY : this.state.message));
    this.store = new PictureStore(model, () => { this.list.pictures(); this.zoom.paint(); });
    this.build();
    this.listen = () => this.heard();
    model.on('change:state', this.listen);
    this.heard();
  }
  get state() { return this.model.get('state'); }

  build() {
    const matrix = this.model.get('matrix');
    this.grid = new MatrixGrid(matrix, part => this.ask(part));
    this.list = new ImageList(this.store, {onchange: () => this.changed(),
      onturn: (by, land) => this.turn(by, land), onopen: () => this.open()});
    this.zoom = new ZoomDialog(this.store, {onturn: by => this.list.step(by), onclose: () => this.list.focus()});
    this.zoom.node.addEventListener('keydown', e => this.zoomKey(e));
    this.switches(matrix);
    this.tools();
    this.root.body(el('div', {class: 'cw-confusion-body'}, this.note,
      el('div', {class: 'cw-confusion-both'}, this.left, this.right)), this.zoom.node);
    this.said.after(this.root.message);  // near the button that asked
  }
  switches(matrix) {
    const which = (text, on, title) => button(text, () => this.line.send('shares', {on}), {pressed: false, title});
    this.counts = which('counts', false, 'how many images');
    this.shares = which('shares', true, 'the share of each row: of an actual class');
    const kinds = matrix.confused.map(([a, p, n]) => button(`${matrix.vocab[a]} → ${matrix.vocab[p]}  ${n}`,
      () => this.ask({actual: a, predicted: p, wrong: false}),
      {kind: 'cw-confusion-kind', title: `${matrix.vocab[a]} taken for ${matrix.vocab[p]}`}));
    this.mistakes = button(`all mistakes  ${matrix.wrong}`, () => this.ask({actual: null, predicted: null, wrong: true}));
    const most = el('div', {class: 'cw-row cw-confusion-most'}, el('span', {class: 'cw-note'}, 'most often:'), ...kinds);
    most.hidden = matrix.vocab.length <= 3 || kinds.length < 2;
    this.note = el('div', {class: 'cw-notice', hidden: true}, el('span'));
    const key = el('span', {class: 'cw-legend'}, el('span', {}, el('i', {class: 'cw-confusion-swatch cw-confusion-right'}), 'right'),
      el('span', {}, el('i', {class: 'cw-confusion-swatch'}), 'wrong: the stronger, the larger the share of its row'));
    const both = el('div', {class: 'cw-confusion-switch', role: 'group', 'aria-label': 'numbers'}, this.counts, this.shares);
    this.left = el('div', {class: 'cw-confusion-left'}, el('div', {class: 'cw-row'}, both, this.mistakes), this.grid.node, key, most);
  }
  tools() {
    this.title = el('div', {class: 'cw-confusion-title', 'aria-live': 'polite'});
    this.all = button('Select all', () => this.list.toggleAll(), {title: 'Ctrl+A; some: click, Ctrl+click, Shift+click'});
    this.sendButton = button('', () => this.send(), {kind: 'cw-main', title: 'the cleaner will show only these'});
    this.said = el('div', {class: 'cw-notice cw-confusion-said', role: 'status', hidden: true});
    this.before = button('◀', () => this.turn(-1, 0), {title: 'Page Up'});
    this.after = button('▶', () => this.turn(1, 0), {title: 'Page Down'});
    this.before.setAttribute('aria-label', 'page before');
    this.after.setAttribute('aria-label', 'next page');
    this.pageText = el('span', {class: 'cw-count'});
    this.size = choice('per page', PER_PAGE.map(n => [n, n]), 24, v => this.line.send('size', {size: Number(v)}));
    this.empty = el('div', {class: 'cw-cards-empty', hidden: true}, 'No image is here.');
    this.pager = el('div', {class: 'cw-row cw-pager'}, this.before, this.pageText, this.after, el('span', {class: 'cw-gap'}), this.size);
    this.right = el('div', {class: 'cw-confusion-right-part'}, this.title, el('div', {class: 'cw-row'}, this.sendButton, this.all,
      el('span', {class: 'cw-note'}, 'by loss, the largest first')), this.said, this.list.node, this.empty, this.pager);
  }

  // What Python says
  heard() {
    const s = this.state;
    this.grid.show(s.shares, s.cell);
    this.counts.setAttribute('aria-pressed', String(!s.shares));
    this.shares.setAttribute('aria-pressed', String(s.shares));
    this.list.show(s.cards, {first: s.page*s.size, found: s.found, part: partKey(s.cell)});
    this.store.want([...s.cards, ...s.ahead]);
    this.words(s);
    this.changed();
    if (!this.line.idle) return;
    this.sending = false;
    this.root.warn(s.message);
  }
  words(s) {
    setText(this.title, s.title);
    this.note.hidden = !s.note;
    setText(this.note.firstChild, s.note);
    const last = s.page*s.size + s.cards.length;
    setText(this.pageText, `${s.page*s.size + 1}–${last} of ${s.found} · page ${s.page + 1} of ${s.pages}`);
    this.before.disabled = s.page <= 0;
    this.after.disabled = s.page >= s.pages - 1;
    this.empty.hidden = s.found > 0;
    this.pager.hidden = s.found <= PER_PAGE[0];
    if (!this.size.box.querySelector(`[value="${s.size}"]`)) this.size.box.append(el('option', {value: s.size}, s.size));
    this.size.box.value = s.size;
    this.tellSent(s.said, s.typed);
  }
  tellSent(said, typed) {
    this.said.hidden = !said;
    const told = said + typed;
    if (told === this.told) return;
    this.told = told;
    this.said.replaceChildren(el('span', {}, said, typed ? el('code', {class: 'cw-confusion-typed'}, typed) : null));
  }
  changed() {
    if (!this.zoom) return;
    const s = this.state, n = this.list.selected.size;
    setText(this.all, n && n === s.found ? 'Select none' : 'Select all');
    const what = n && n < s.found ? `${n} of ${s.found}` : s.found > 1 ? `all ${s.found}` : 'it';
    setText(this.sendButton, `Send ${what} to the cleaner`);
    this.sendButton.disabled = this.all.disabled = !s.found;
    if (this.zoom.open) this.showZoom();
  }

  // What the hand does
  ask(part) { this.line.send('show', part); }
  turn(by, land) {
    const page = this.state.page + by;
    if (page < 0 || page >= this.state.pages) return;
    this.list.land = land;
    this.line.latest('page', {page});
  }
  send() {
    const {places} = this.list, s = this.state;
    this.sending = true;
    this.tellSent('Sending …', '');
    this.said.hidden = false;
    this.line.send('send', {...s.cell, places: places.length && places.length < s.found ? places : null});
  }
  open() { if (this.list.item) this.showZoom(); }
  showZoom() {
    const {item, first, at} = this.list;
    if (item) this.zoom.show(item, null, `${first + at + 1} of ${this.state.found}: ${item.label} → ${item.pred}`); else this.zoom.close();
  }
  zoomKey(e) {
    const by = {ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1}[e.key];
    if (by) this.list.step(by);
    else if (keyName(e) === 'z') this.zoom.close();
    else return;
    e.preventDefault();
  }
  close() {
    this.line.close();
    this.root.close();
    this.store.close();
    if (this.zoom.open) this.zoom.close();
    this.model.off('change:state', this.listen);
  }
}

export default {render(context) { const view = new ConfusionView(context); return () => view.close(); }};
