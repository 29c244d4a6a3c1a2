// Cleaning a data set by eye and hand: ImageCleaner. The object behind it is course_lib.cleaning.session.CleaningSession.

const TOO_SOON = 150;  // ms: a press that comes sooner after a picture has changed was meant for the one before
const REST = 1200;     // ms without a decision: then Python renews the picture that stays in the notebook

const CLEANER_KEYS = [
  ['← → ↑ ↓', 'go from picture to picture; past the last one, to the next page'],
  ['Page Up, Page Down', 'the page before, the next page'], ['Home, End', 'first and last picture of the page'],
  ['K', 'keep: the picture is in order'], ['D or Delete', 'delete: it will go to the trash when the plan is applied'],
  ['1 … 9', 'relabel to that class'], ['R', 'relabel: choose or add a class'], ['0', 'take a decision back: undecided again'],
  ['U or Ctrl+Z', 'undo'], ['Shift+U, Ctrl+Shift+Z or Ctrl+Y', 'redo'], ['N', 'the next picture that is not reviewed'],
  ['X or Space', 'select a picture, or let it go'], ['Shift+arrows', 'select several'], ['A', 'select the whole page, or nothing'],
  ['Z or Enter', 'show it large; a near-duplicate beside its twin'], ['B', 'there: keep the better of the two, delete the other'],
  ['P', 'the plan'], ['Esc', 'close, or let the selection go'], ['?', 'this list']];
const CLEANER_HINT = 'Keys: K keep, D delete, 1–9 relabel, U undo, N next unreviewed, X select, Z zoom, ? all keys';

// ---- How far it is

class ProgressLine {
  constructor() {
    this.text = el('span', {class: 'cw-cleaner-words'});
    this.parts = Object.fromEntries(['keep', 'relabel', 'delete'].map(k => [k, el('i', {'data-fate': k})]));
    this.bar = el('div', {class: 'cw-cleaner-bar', role: 'progressbar', 'aria-label': 'reviewed', 'aria-valuemin': 0}, ...Object.values(this.parts));
    this.node = el('div', {class: 'cw-cleaner-progress'}, this.text, this.bar);
  }
  show({total, counts}) {
    const words = [`${counts.reviewed} of ${counted(total, 'image')} reviewed`];
    for (const k of ['delete', 'relabel', 'keep']) if (counts[k]) words.push(`${counts[k]} ${k}`);
    if (counts.gone) words.push(`${counts.gone} gone`);
    setText(this.text, words.join(' · '));
    for (const [k, part] of Object.entries(this.parts)) part.style.width = `${100*counts[k]/Math.max(total, 1)}%`;
    this.bar.setAttribute('aria-valuemax', total);
    this.bar.setAttribute('aria-valuenow', counts.reviewed);
  }
}

// ---- What is shown

const FILTER_NAMES = {label: 'class', split: 'set', reason: 'reason', state: 'state'};
const PAGE_SIZES = [12, 24, 48, 96];

class FilterBar {
  /** `heard(op, args)` hears what is chosen. */
  constructor(heard) {
    this.heard = heard;
    this.boxes = {};
    for (const [key, name] of Object.entries(FILTER_NAMES)) this.boxes[key] = choice(name, [], '', v => heard('filter', {[key]: v}));
    this.size = choice('per page', PAGE_SIZES.map(n => [n, n]), 24, v => heard('size', {size: Number(v)}));
    this.sent = button('', () => heard('unsend'), {title: 'show all images again', kind: 'cw-sent'});
    this.all = button('Show all', () => heard('filter', {label: '', split: '', reason: '', state: ''}), {title: 'take all filters away'});
    this.node = el('div', {class: 'cw-row cw-cleaner-filters'},
      this.sent, ...Object.values(this.boxes), this.all, el('span', {class: 'cw-gap'}), this.size);
  }
  show({filters, choices, sent, size}) {
    for (const [key, box] of Object.entries(this.boxes)) {
      box.hidden = choices[key].length < 2;
      this.options(box.box, choices[key], filters[key]);
      box.classList.toggle('cw-set', Boolean(filters[key]));
    }
    this.all.hidden = !Object.values(filters).some(Boolean);
    this.sent.hidden = !sent;
    setText(this.sent, sent ? `${sent} ✕` : '');
    this.size.box.value = size;
  }
  /** The options of one filter, [value, text, count]; they are written only where they differ. */
  options(box, options, value) {
    const told = JSON.stringify(options);
    if (box.dataset.told !== told) {
      box.dataset.told = told;
      box.replaceChildren(...options.map(([v, text, n]) => el('option', {value: v}, `${text} (${n})`)));
    }
    box.value = value;
  }
}

/** Sentences to be read, each of which can be put away. */
class NoteStrip {
  constructor(away) { Object.assign(this, {away, node: el('div', {class: 'cw-notes'})}); }
  show(notes) {
    const told = JSON.stringify(notes);
    if (told === this.told) return;
    this.told = told;
    this.node.replaceChildren(...notes.map(text => this.note(text)));
  }
  note(text) {
    const title = 'put this note away';
    return el('div', {class: 'cw-notice'}, el('span', {}, text),
      el('button', {type: 'button', class: 'cw-plain', 'aria-label': title, title, onclick: () => this.away(text)}, '✕'));
  }
}

// ---- The grid: what has the focus, what is selected

class CardGrid {
  /** `onchange()` hears that focus or selection have moved, `onturn(by, land)` that they lead off the page, `onopen()` zoom. */
  constructor(store, {onchange, onturn, onopen, quick}) {
    Object.assign(this, {store, onchange, onturn, onopen, quick, cards: [], items: [], at: 0, anchor: 0, selected: new Set(), land: null});
    this.node = el('div', {class: 'cw-cards', role: 'listbox', 'aria-multiselectable': 'true', 'aria-label': 'images'});
    this.empty = el('div', {class: 'cw-cards-empty', hidden: true});
    this.box = el('div', {class: 'cw-cards-box'}, this.node, this.empty);
  }
  get item() { return this.items[this.at] || null; }
  get card() { return this.cards[this.at] || null; }
  get targets() { return this.selected.size ? this.items.filter(o => this.selected.has(o.i)) : this.item ? [this.item] : []; }
  get columns() {
    const top = this.cards[0]?.node.offsetTop;
    const next = this.cards.slice(0, this.items.length).findIndex(c => c.node.offsetTop !== top);
    return next < 0 ? Math.max(this.items.length, 1) : next;
  }
  /** Show these items. On another page than before the focus goes to where `land` says. */
  show(items, twins) {
    const ids = items.map(o => o.i).join();
    if (ids !== this.ids) this.newPage(items);
    Object.assign(this, {items, ids, twins});
    while (this.cards.length < items.length) this.addCard();
    this.cards.forEach((card, k) => { card.node.hidden = k >= items.length; });
    this.paint();
  }
  newPage(items) {
    const {land} = this, last = Math.max(items.length - 1, 0);
    this.selected.clear();
    this.land = null;
    this.at = this.anchor = land === 'last' ? last : Math.min(land ?? 0, last);
    if (this.at === 0) this.box.scrollTop = 0;
    this.moved = true;
  }
  addCard() {
    const k = this.cards.length, card = new Card(this.store, {quick: this.quick.map(([sign, words, act]) => [sign, words, () => act(k)])});
    card.node.addEventListener('click', e => this.clicked(k, e));
    card.node.addEventListener('dblclick', () => this.onopen());
    card.node.addEventListener('focus', () => { if (this.at !== k) this.go(k); });
    this.cards.push(card);
    this.node.append(card.node);
  }
  paint() {
    this.items.forEach((item, k) => {
      const card = this.cards[k];
      card.show(item, {twin: this.twins.get(item.twin) || null, selected: this.selected.has(item.i)});
      card.node.classList.toggle('cw-here', k === this.at);
      card.node.tabIndex = k === this.at ? 0 : -1;
    });
  }
  /** New pictures have come. */
  pictures() { this.items.forEach((_, k) => this.cards[k].paint()); }
  clicked(k, e) {
    if (e.shiftKey) this.range(this.anchor, k);
    else if (e.ctrlKey || e.metaKey) this.toggle(k);
    else { this.selected.clear(); this.anchor = k; }
    this.go(k);
  }
  /** Bring the focus to place k of the page. */
  go(k, {focus = true} = {}) {
    if (!this.items.length) return;
    this.at = Math.max(0, Math.min(k, this.items.length - 1));
    this.paint();
    if (focus) this.focus();
    this.onchange();
  }
  focus() { this.card?.node.focus({preventScroll: true}); this.card?.node.scrollIntoView({block: 'nearest'}); }
  /** One step by an arrow key; past the ends lies another page. */
  step(by, extend) {
    const to = this.at + by;
    if (to < 0 || to >= this.items.length) return extend ? null : this.off(by);
    if (extend) this.range(this.anchor, to);
    else { this.selected.clear(); this.anchor = to; }
    this.go(to);
  }
  off(by) {
    const columns = this.columns, column = this.at % columns, sideways = Math.abs(by) === 1;
    if (by > 0 && !sideways && this.at < this.items.length - 1 - column && Math.floor(this.at/columns) < Math.floor((this.items.length - 1)/columns))
      return this.step(this.items.length - 1 - this.at);  // the row below is shorter
    this.onturn(Math.sign(by), by > 0 ? (sideways ? 0 : column) : 'last');
  }
  toggle(k) {
    const {i} = this.items[k];
    if (!this.selected.delete(i)) this.selected.add(i);
    this.anchor = k;
  }
  range(from, to) {
    this.selected.clear();
    for (let k = Math.min(from, to); k <= Math.max(from, to); k++) this.selected.add(this.items[k].i);
  }
  toggleHere() { if (this.item) { this.toggle(this.at); this.go(this.at); } }
  togglePage() {
    if (this.selected.size === this.items.length) this.selected.clear();
    else this.items.forEach(o => this.selected.add(o.i));
    this.go(this.at);
  }
  letGo() { this.selected.clear(); this.go(this.at); }
  placeOf(i) { return this.items.findIndex(o => o.i === i); }
}

// ---- The class to relabel to

class ClassMenu {
  /** `chosen(name)` hears the class; `closed()` that the menu has gone. */
  constructor(chosen, closed) {
    Object.assign(this, {chosen, closed});
    this.list = el('div', {class: 'cw-menu-list', role: 'menu', 'aria-label': 'classes'});
    this.problem = el('div', {class: 'cw-menu-problem', role: 'alert', hidden: true});
    this.name = el('input', {type: 'text', class: 'cw-text', placeholder: 'new class…', 'aria-label': 'name of a new class', maxlength: 100});
    const add = el('form', {class: 'cw-row', onsubmit: e => { e.preventDefault(); this.choose(this.name.value.trim()); }}, this.name,
      el('button', {class: 'cw-button'}, 'Add'));
    this.node = el('div', {class: 'cw-menu', hidden: true}, this.list, add, this.problem);
    this.node.addEventListener('focusout', e => { if (!this.node.contains(e.relatedTarget)) this.hide(); });
    this.node.addEventListener('keydown', e => this.key(e));
  }
  show(classes, present) {
    this.list.replaceChildren(...classes.map((name, k) => el('button', {type: 'button', class: 'cw-menu-item', role: 'menuitem',
      'aria-current': name === present ? 'true' : null, onclick: () => this.choose(name)},
      el('kbd', {}, k < 9 ? String(k + 1) : ''), name, name === present ? el('i', {}, ' as given') : null)));
    this.name.value = '';
    this.problem.hidden = true;
    this.classes = classes;
    this.node.hidden = false;
    (this.list.firstChild || this.name).focus();
  }
  key(e) {
    const items = [...this.list.children, this.name], at = items.indexOf(document.activeElement);
    const by = {ArrowDown: 1, ArrowUp: -1}[e.key];
    if (e.key === 'Escape') { this.hide(); this.closed(); }
    else if (by && at >= 0) items[(at + by + items.length) % items.length].focus();
    else if (/^[1-9]$/.test(e.key) && e.key <= this.list.children.length && document.activeElement !== this.name) items[e.key - 1].click();
    else if (this.begins(e)) { this.name.focus(); return e.stopPropagation(); }  // the letter goes there
    else return e.key.length === 1 || e.key === 'Enter' ? e.stopPropagation() : null;  // a letter here is no command
    e.preventDefault();
    e.stopPropagation();
  }
  /** Whether a key is the first letter of a new name. */
  begins(e) { return e.key.length === 1 && e.key !== ' ' && !e.ctrlKey && !e.metaKey && !e.altKey && this.list.contains(e.target); }
  /** With a new name it stays open until Python has taken the name. */
  choose(name) {
    if (!name) return;
    const fresh = !this.classes.includes(name);
    if (!fresh) { this.hide(); this.closed(); }
    this.chosen(name, fresh);
  }
  taken() { if (!this.node.hidden) { this.hide(); this.closed(); } }
  refused(why) {
    if (this.node.hidden) return;
    setText(this.problem, why);
    this.problem.hidden = false;
    this.name.focus();
  }
  hide() { this.node.hidden = true; }
}

// ---- The plan, and what became of it

const dialogHead = (title, close) => el('div', {class: 'cw-zoom-head'}, el('b', {class: 'cw-zoom-title'}, title),
  el('button', {type: 'button', class: 'cw-button', 'aria-label': 'close', title: 'Esc', onclick: close}, '✕'));

class PlanDialog {
  /** `heard(op, args)` hears 'apply', 'restore' and 'unplan'. */
  constructor(heard) {
    Object.assign(this, {heard, asked: false});
    this.body = el('div', {class: 'cw-plan-body'});
    this.foot = el('div', {class: 'cw-row cw-plan-foot'});
    this.bar = el('progress', {'aria-label': 'progress', hidden: true});
    this.title = el('span', {});
    this.node = el('dialog', {class: 'cw-dialog cw-plan', 'aria-label': 'plan', tabindex: '-1', onclose: () => { this.told = ''; heard('unplan'); },
      oncancel: e => { e.preventDefault(); this.close(); }}, dialogHead(this.title, () => this.close()), this.body, this.bar, this.foot);
  }
  show(panel, mine) {
    const told = JSON.stringify(panel);
    if (told === this.told) return;
    this.bar.hidden = true;
    if (!panel) this.close();
    if (!panel || !mine) return;
    this.told = told;
    if (panel.kind === 'plan') this.plan(panel); else this.report(panel);
    if (!this.node.open) this.node.showModal();
    (this.foot.querySelector('button') || this.node).focus();
  }
  plan(panel) {
    setText(this.title, 'Plan: what would happen');
    this.body.replaceChildren(el('p', {}, panel.sentence), this.table(panel));
    this.ready(panel);
  }
  table({rows, more, columns}) {
    if (!rows.length) return el('p', {class: 'cw-note'}, '');
    const bad = columns.indexOf('problem'), cell = (text, k) => el('td', {title: text}, k === bad && text ? `⚠ ${text}` : text);
    const row = r => el('tr', {class: r[bad] ? 'cw-bad' : ''}, ...r.map(cell));
    const head = el('tr', {}, ...columns.map(c => el('th', {}, c)));
    const table = el('table', {class: 'cw-plan-table'}, el('thead', {}, head), el('tbody', {}, ...rows.map(row)));
    return el('div', {class: 'cw-plan-scroll', tabindex: '0'}, table, more ? el('p', {class: 'cw-note'}, `and ${more} more`) : null);
  }
  /** The buttons below the table; the first press asks, the second does it. */
  ready(panel) {
    const apply = button('Apply…', () => this.confirm(panel), {kind: 'cw-main', title: 'asks once more before anything moves'});
    apply.disabled = !panel.can;
    this.foot.replaceChildren(apply, button('Close', () => this.close()));
  }
  confirm(panel) {
    const go = button('Apply', () => this.begin('apply', 'moving files'), {kind: 'cw-main'});
    this.foot.replaceChildren(el('span', {class: 'cw-plan-ask'}, panel.ask), go, button('Cancel', () => this.ready(panel)));
    go.focus();
  }
  begin(op, words) {
    this.foot.replaceChildren(el('span', {class: 'cw-note'}, `${words} …`));
    this.bar.hidden = false;
    this.bar.removeAttribute('value');
    this.node.focus();
    this.heard(op, {});
  }
  /** It stays while files move, so that the report is seen. */
  close() { if (this.node.open && this.bar.hidden) this.node.close(); }
  progress({done, total}) { this.bar.max = total; this.bar.value = done; }
  report({title, words, problems, restorable}) {
    setText(this.title, title);
    const list = problems.length ? el('ul', {}, ...problems.map(p => el('li', {}, `⚠ ${p}`))) : null;
    this.body.replaceChildren(el('p', {}, words), ...(list ? [list] : []));
    const back = button(`Restore all (${restorable})`, () => this.begin('restore', 'bringing files back'),
      {title: 'every file goes back to where it was'});
    this.foot.replaceChildren(button('Close', () => this.close(), {kind: 'cw-main'}), ...(restorable ? [back] : []));
  }
}

function helpDialog() {
  const rows = CLEANER_KEYS.map(([keys, what]) => el('tr', {}, el('td', {}, el('kbd', {}, keys)), el('td', {}, what)));
  const node = el('dialog', {class: 'cw-dialog cw-keys', 'aria-label': 'keys', tabindex: '-1'}, dialogHead('Keys', () => node.close()),
    el('table', {}, el('tbody', {}, ...rows)),
    el('p', {class: 'cw-note'}, 'With the mouse: click a picture, then a button; Ctrl+click or Shift+click selects several; a double click '
      + 'shows it large. Nothing moves before you apply the plan, and what was moved can be restored.'));
  return node;
}

// ---- The view

class CleanerView {
  constructor({model, el: holder}) {
    Object.assign(this, {model, hopes: new Map(), advanced: 0, went: 0});
    this.root = makeRoot({model, el: holder}, {label: 'Clean a set of images', hint: CLEANER_HINT, keys: this.keys()});
    this.root.root.classList.add('cw-cleaner');
    this.line = new Line(model, busy => this.busy(busy));
    this.store = new PictureStore(model, () => this.pictures());
    this.build();
    this.listeners = {'change:state': () => this.heard(), 'msg:custom': content => this.told(content)};
    for (const [name, f] of Object.entries(this.listeners)) model.on(name, f);
    this.root.root.addEventListener('focusin', e => this.entered(e));
    this.heard();
    this.restSoon();
  }
  /** What Python has said; while a page is being turned, with what it has said of that page before. */
  get state() { return this.preview ? {...this.model.get('state'), ...this.preview} : this.model.get('state'); }
  keys() {
    const keys = {
      k: e => this.decide('keep', '', e), d: e => this.decide('delete', '', e), 0: e => this.decide('clear', '', e),
      u: e => this.back(e.shiftKey ? 'redo' : 'undo'), 'Ctrl+z': () => this.back('undo'), 'Ctrl+y': () => this.back('redo'),
      n: () => this.next(), x: () => this.grid.toggleHere(), a: () => this.grid.togglePage(), z: () => this.toggleZoom(),
      r: () => this.openMenu(), b: () => this.better(), p: () => this.askPlan(), '?': () => this.openHelp(), Escape: () => this.escape(),
      PageDown: () => this.turn(1, 0), PageUp: () => this.turn(-1, 0), Home: () => this.grid.go(0), End: () => this.grid.go(1e9)};
    Object.assign(keys, {Delete: keys.d, 'Ctrl+Shift+z': keys['Ctrl+y'], ' ': keys.x, 'Ctrl+a': keys.a, Enter: keys.z});
    for (let k = 1; k <= 9; k++) keys[k] = e => this.relabel(this.state.classes[k - 1], e);
    const arrows = {ArrowRight: () => 1, ArrowLeft: () => -1, ArrowDown: () => this.row, ArrowUp: () => -this.row};
    for (const [name, by] of Object.entries(arrows)) {
      keys[name] = () => this.grid.step(by());
      keys[`Shift+${name}`] = () => this.grid.step(by(), true);
    }
    return Object.fromEntries(Object.entries(keys).map(([name, act]) => [name, e => this.covered && name !== 'Escape' ? null : act(e)]));
  }
  /** Whether the plan or the list of keys lies over everything: then a key is for neither. */
  get covered() { return this.plan.node.open || this.help.open; }
  get row() { return this.zoom.open ? 1 : this.grid.columns; }

  build() {
    const send = (op, args = {}) => this.line.send(op, args);
    this.progress = new ProgressLine();
    this.filters = new FilterBar((op, args) => { this.line.send(op, args); this.focusGrid(); });
    this.notes = new NoteStrip(text => { send('dismiss', {note: text}); this.focusGrid(); });
    this.banner = el('div', {class: 'cw-message', role: 'status', hidden: true});
    this.more = button('', () => { send('sort'); this.focusGrid(); }, {kind: 'cw-more'});
    this.looking = el('span', {class: 'cw-note', role: 'status'});
    this.grid = new CardGrid(this.store, {onchange: () => this.moved(), onturn: (by, land) => this.turn(by, land), onopen: () => this.openZoom(),
      quick: [['✓', 'keep'], ['✕', 'delete'], ['→', 'relabel']].map(([sign, act]) => [sign, act, k => this.quick(k, act)])});
    this.menu = new ClassMenu((name, fresh) => fresh ? this.relabelNew(name) : this.relabel(name), () => this.focusGrid());
    this.plan = new PlanDialog(send);
    this.help = helpDialog();
    this.help.addEventListener('close', () => this.focusGrid());
    this.buildZoom();
    this.buttons();
    this.layout();
  }
  buildZoom() {
    const decide = (act, words, key) => button(words, () => this.decide(act), {title: key});
    this.zoomButtons = [decide('keep', '✓ Keep', 'K'), decide('delete', '✕ Delete', 'D')];
    this.zoomClasses = el('div', {class: 'cw-row'});
    this.zoomSaid = el('div', {class: 'cw-zoom-said'});
    const foot = [...this.zoomButtons, this.zoomClasses, this.zoomSaid];
    this.zoom = new ZoomDialog(this.store, {foot, under: (item, other) => this.choiceOfTwo(item, other),
      onturn: by => this.grid.step(by), onclose: () => this.focusGrid()});
  }
  buttons() {
    const press = (text, act, title) => button(text, () => { act(); if (!this.menuOpen && !this.dialog) this.focusGrid(); }, {title});
    this.keep = press('✓ Keep', () => this.decide('keep'), 'K: the picture is in order');
    this.remove = press('✕ Delete', () => this.decide('delete'), 'D: to the trash, when the plan is applied');
    this.relabelButton = press('→ Relabel ▾', () => this.openMenu(), 'R, or 1–9: give it another class');
    this.clear = press('○ Clear', () => this.decide('clear'), '0: undecided again');
    this.restore = press('⤺ Restore', () => this.bringBack(), 'bring the selected files back to where they were');
    this.undo = press('↶ Undo', () => this.back('undo'), 'U or Ctrl+Z');
    this.redo = press('↷ Redo', () => this.back('redo'), 'Shift+U or Ctrl+Y');
    this.nextButton = press('Next unreviewed', () => this.next(), 'N');
    this.zoomButton = press('⌕ Zoom', () => this.openZoom(), 'Z, Enter or a double click');
    this.selectAll = press('Select page', () => this.grid.togglePage(), 'A; one picture: X or Ctrl+click');
    this.planButton = press('Plan…', () => this.askPlan(), 'P: see what would happen, then apply it');
    this.helpButton = press('?', () => this.openHelp(), 'all keys');
    this.helpButton.setAttribute('aria-label', 'all keys');
    this.planButton.classList.add('cw-main');
    this.prev = press('◀', () => this.turn(-1, 0), 'Page Up');
    this.follow = press('▶', () => this.turn(1, 0), 'Page Down');
    this.prev.setAttribute('aria-label', 'page before');
    this.follow.setAttribute('aria-label', 'next page');
  }
  layout() {
    this.said = el('div', {class: 'cw-cleaner-said'});
    this.pageText = el('span', {class: 'cw-count'});
    this.stale = el('button', {type: 'button', class: 'cw-button', hidden: true, onclick: () => { this.line.send('renew'); this.focusGrid(); }});
    const group = (...nodes) => el('div', {class: 'cw-group'}, ...nodes);
    const menu = el('div', {class: 'cw-menu-holder'}, this.relabelButton, this.menu.node);
    this.tools = el('div', {class: 'cw-cleaner-tools', role: 'toolbar', 'aria-label': 'decisions'},
      group(this.keep, this.remove, menu, this.clear, this.restore), group(this.undo, this.redo),
      group(this.nextButton, this.selectAll, this.zoomButton));
    const top = el('div', {class: 'cw-cleaner-top'}, this.progress.node, this.planButton, this.helpButton);
    const line = el('div', {class: 'cw-cleaner-line'}, this.said, this.looking, this.more);
    const pager = el('div', {class: 'cw-row cw-pager'}, this.prev, this.pageText, this.follow, this.stale);
    this.root.body(el('div', {class: 'cw-cleaner-body'}, this.banner, top, this.notes.node, this.filters.node,
      this.tools, line, this.grid.box, pager), this.zoom.node, this.plan.node, this.help);
    this.said.after(this.root.message);  // where the eye is
  }

  // What Python says
  heard() {
    if (this.line.idle || this.preview?.page === this.model.get('state').page) this.preview = null;
    if (this.line.idle) this.hopes.clear();
    const s = this.state;
    this.progress.show(s);
    this.filters.show(s);
    this.notes.show(s.notes);
    this.showGrid(s);
    this.news(s);
    this.enable(s);
    this.plan.show(s.panel, s.panel?.view === this.line.name);
    this.follower(s);
    this.moved();
    this.answered(s);
    this.warn(s.message);
  }
  /** A decision has come back: one that was refused leads back to its picture. */
  answered(s) {
    const {sent} = this;
    if (!sent || s.ack !== sent.id) return;
    this.sent = null;
    const at = this.grid.placeOf(sent.i);
    if (sent.fresh && s.message) this.menu.refused(s.message);
    else if (sent.fresh) { this.menu.taken(); this.onwards(sent); }
    else if (s.message && at >= 0 && this.grid.at === at + 1) this.grid.go(at, {focus: !this.dialog});
  }
  /** What went wrong takes the place of what was said; where a dialog lies over it, there too. */
  warn(text) {
    this.root.warn(text);
    this.said.hidden = Boolean(text);
    setText(this.zoomSaid, text || this.said.textContent);
  }
  showGrid(s) {
    const items = s.cards.map(o => this.hopes.has(o.i) ? {...o, ...this.hopes.get(o.i)} : o);
    const had = this.grid.node.contains(document.activeElement);
    this.all = new Map([...s.others, ...items].map(o => [o.i, o]));
    this.grid.node.classList.toggle('cw-noscores', !s.scores);
    this.grid.node.classList.toggle('cw-nosplits', !s.choices.split.length);
    this.grid.show(items, this.all);
    this.grid.node.hidden = !items.length;
    this.grid.empty.hidden = Boolean(items.length);
    setText(this.grid.empty, 'No image is left under these filters.');
    if (had && this.grid.moved) this.grid.focus();
    this.grid.moved = false;
    const nearby = Object.values(this.model.get('nearby')).sort((a, b) => b.page - a.page).flatMap(o => [...o.cards, ...o.others]);
    this.store.want([...items, ...s.others, ...nearby]);
  }
  news(s) {
    this.banner.hidden = !s.read_only;
    setText(this.banner, s.read_only);
    this.more.hidden = !s.more;
    setText(this.more, s.more ? `${counted(s.more, 'more suspect')} found: sort anew` : '');
    if (this.looking.textContent && !s.looking) this.restSoon();  // now the suspects are known
    setText(this.looking, s.looking);
    const first = s.page*s.size + 1, last = s.page*s.size + s.cards.length;
    setText(this.pageText, s.found ? `${first}–${last} of ${s.found} · page ${s.page + 1} of ${s.pages}` : 'nothing to show');
    this.stale.hidden = !s.stale;
    setText(this.stale, `↻ ${counted(s.stale, 'image')} no longer belong${s.stale === 1 ? 's' : ''} here: renew`);
    this.tell(s.said);
  }
  enable(s) {
    const off = Boolean(s.read_only), none = !s.cards.length, trashed = this.grid.targets.some(o => o.status === 'trash' || o.status === 'moved');
    for (const b of [this.keep, this.remove, this.relabelButton, this.clear, ...this.zoomButtons]) b.disabled = off || none;
    this.undo.disabled = off || !s.can_undo;
    this.redo.disabled = off || !s.can_redo;
    this.restore.hidden = !trashed;
    this.restore.disabled = off;
    this.clear.hidden = trashed;
    this.planButton.disabled = off;
    setText(this.planButton, s.counts.pending ? `Plan… (${s.counts.pending})` : 'Plan…');
    this.prev.disabled = s.page <= 0;
    this.follow.disabled = s.page >= s.pages - 1;
  }
  /** How far Python is with something long. */
  told({task, looking}) {
    if (task) this.plan.progress(task);
    if (looking !== undefined) setText(this.looking, looking);
  }
  /** After an undo or a search Python says which picture to look at, and the view that asked goes there. */
  follower(s) {
    if (!s.goto || s.goto.n === this.went) return;
    this.went = s.goto.n;
    const at = this.grid.placeOf(s.goto.i);
    if (s.goto.view !== this.line.name || at < 0) return;
    if (at !== this.grid.at) this.advanced = performance.now();
    this.grid.go(at, {focus: !this.dialog});
  }
  pictures() { this.grid.pictures(); this.zoom.paint(); }
  moved() {
    if (!this.zoom) return;
    this.enable(this.state);
    const n = this.grid.selected.size;
    setText(this.selectAll, n && n === this.grid.items.length ? 'Select none' : 'Select page');
    setText(this.keep, n > 1 ? `✓ Keep ${n}` : '✓ Keep');
    setText(this.remove, n > 1 ? `✕ Delete ${n}` : '✕ Delete');
    if (this.zoom.open) this.showZoom();
  }
  busy(busy) { this.warn(busy && this.plan.bar.hidden ? BUSY : this.state.message); }
  /** The eyes come back from elsewhere: files may have moved meanwhile. */
  entered(e) { if (!this.root.root.contains(e.relatedTarget) && this.line.idle) this.line.latest('look'); }

  // What the hand does
  get dialog() { return this.zoom.open || this.covered; }
  get menuOpen() { return !this.menu.node.hidden; }
  focusGrid() {
    if (this.zoom.open) this.zoom.node.focus();
    else if (this.grid.items.length) this.grid.focus();
    else this.root.root.focus({preventScroll: true});
  }
  /** Whether what is to be decided on has been there long enough to be meant. */
  tooSoon() {
    if (this.grid.selected.size) return false;
    const since = Math.max(this.zoom.open ? this.zoom.since : this.grid.card?.since ?? 0, this.advanced);
    if (performance.now() - since >= TOO_SOON) return false;
    this.tell('Not taken: this picture had only just appeared.');
    return true;
  }
  tell(text) {
    setText(this.said, text);
    setText(this.zoomSaid, text);
    if (text) this.root.say(text);
  }
  /** Whether nothing can be decided about these, and then why. */
  outOfReach(items) {
    if (items.some(o => ['here', 'moved'].includes(o.status))) return false;
    const one = items.length === 1, trashed = items.some(o => o.status === 'trash');
    const where = one ? 'This picture is in the trash' : 'These pictures are in the trash or gone';
    this.warn('');
    this.tell(trashed ? `${where}: Restore first.` : one ? 'Its file is gone.' : 'Their files are gone.');
    return true;
  }
  /** A decision on what is selected, or on the picture in focus; after one picture it goes on to the next. */
  decide(act, to = '', e = null, {stay = false} = {}) {
    const items = this.grid.targets, many = this.grid.selected.size > 0;
    if (!this.may(items, e)) return;
    this.sent = {id: this.line.send('decide', {act, to, marks: items.map(o => [o.i, o.v])}), i: items[0].i};
    for (const o of items) if (['here', 'moved'].includes(o.status)) this.hopes.set(o.i, this.hope(o, act, to));
    this.showGrid(this.state);
    this.restSoon();
    if (!stay && act !== 'clear' || many) this.onwards({many});
  }
  may(items, e) {
    if (e?.repeat || !items.length || this.state.read_only || this.covered) return false;
    return !this.tooSoon() && !this.outOfReach(items);
  }
  onwards({many}) { if (many) this.grid.letGo(); else this.advance(); }
  /** To a class that is new, whose name Python may refuse: it goes on when the answer is here. */
  relabelNew(to) {
    const items = this.grid.targets, many = this.grid.selected.size > 0;
    if (!this.may(items, null)) return;
    this.sent = {id: this.line.send('decide', {act: 'relabel', to, marks: items.map(o => [o.i, o.v])}), i: items[0].i, fresh: true, many};
    this.restSoon();
  }
  /** What Python will make of a decision: to relabel to the class it has is to keep. */
  hope(item, act, to) { return {act: act === 'clear' ? '' : act === 'relabel' && to === item.now ? 'keep' : act, to, done: false}; }
  relabel(name, e = null) { if (name) this.decide('relabel', name, e); }
  /** On to the next picture, if need be on the next page. */
  advance() {
    this.advanced = performance.now();
    const to = this.grid.at + 1;
    if (to >= this.grid.items.length) return this.turn(1, 0);
    this.grid.anchor = to;
    this.grid.go(to, {focus: !this.zoom.open});
  }
  /** A button on a card is for that card alone, wherever the focus was. */
  quick(k, act) {
    this.grid.selected.clear();
    this.grid.go(k);
    if (act === 'relabel') this.openMenu(); else this.decide(act, '', null, {stay: true});
  }
  back(op) { if (!this.state.read_only) { this.line.send(op); this.restSoon(); } }
  next() { this.line.send('next', {after: this.grid.item ? this.grid.item.i : -1}); }
  turn(by, land) {
    const page = this.state.page + by;
    if (page < 0 || page >= this.state.pages) return this.moved();
    this.grid.land = land;
    const near = this.model.get('nearby')[page];
    if (!near) return this.line.latest('page', {page});
    this.line.send('page', {page});
    this.preview = near;
    this.showGrid(this.state);
    this.news(this.state);
    this.moved();
  }
  bringBack() {
    const ids = this.grid.targets.filter(o => o.status === 'trash' || o.status === 'moved').map(o => o.i);
    if (ids.length) this.line.send('restore', {ids});
  }
  askPlan() { if (!this.state.read_only && !this.dialog) { this.line.send('plan'); this.warn(''); } }
  openHelp() { if (!this.help.open && !this.dialog) { this.help.showModal(); this.help.focus(); } }
  openMenu() {
    if (this.state.read_only || !this.grid.targets.length) return;
    const holder = this.zoom.open ? this.zoomClasses : this.relabelButton.parentNode;
    holder.append(this.menu.node);
    this.menu.show(this.state.classes, this.grid.targets.length === 1 ? this.grid.targets[0].label : '');
  }
  escape() {
    if (this.help.open) return this.help.close();
    if (this.plan.node.open) return this.plan.close();
    if (this.zoom.open) return this.zoom.close();
    if (this.grid.selected.size) this.grid.letGo();
  }
  /** When the hand rests, the picture that stays in the notebook is renewed. */
  restSoon() {
    clearTimeout(this.restTimer);
    this.restTimer = setTimeout(() => this.line.idle ? this.line.send('rest') : this.restSoon(), REST);
  }

  // Large
  toggleZoom() { if (this.zoom.open) this.zoom.close(); else this.openZoom(); }
  openZoom() {
    if (!this.grid.item || this.dialog) return;
    const {classes} = this.state;
    this.zoomClasses.replaceChildren(...classes.slice(0, 9).map((name, k) => button(`→ ${name}`, () => this.relabel(name), {title: String(k + 1)})),
      button('→ …', () => this.openMenu(), {title: 'R: another class'}));
    this.showZoom();
  }
  showZoom() {
    const {item, at, items} = this.grid, s = this.state;
    if (!item) return this.zoom.close();
    if (items[at + 1]) this.store.hurry(items[at + 1]);
    const many = this.grid.selected.size, all = many ? ` · ${many} selected: a decision is for all of them` : '';
    this.zoom.show(item, this.all.get(item.twin) || null, `${s.page*s.size + at + 1} of ${s.found}${all}`);
    for (const b of this.zoomClasses.querySelectorAll('.cw-button')) b.disabled = Boolean(s.read_only);
  }
  /** Below each of two nearly equal pictures. */
  choiceOfTwo(item, other) {
    if (!other) return [];
    const b = button('✓ Keep this, delete the other', () => this.pair(item, other), {title: item.better ? `B: ${item.better}` : ''});
    b.disabled = Boolean(this.state.read_only);
    return [el('div', {class: 'cw-row'}, b, item.better ? el('span', {class: 'cw-better'}, `★ ${item.better}`) : null)];
  }
  pair(keep, drop) {
    if (this.state.read_only || this.tooSoon() || this.outOfReach([keep]) || this.outOfReach([drop])) return;
    this.zoom.node.focus();  // the button that was pressed is about to be another one
    this.line.send('pair', {keep: [keep.i, keep.v], drop: [drop.i, drop.v]});
    this.restSoon();
  }
  better() {
    const {item, other} = this.zoom;
    if (!this.zoom.open || !other) return;
    if (other.better) this.pair(other, item); else this.pair(item, other);
  }
  close() {
    clearTimeout(this.restTimer);
    this.line.close();
    this.root.close();
    this.store.close();
    for (const dialog of [this.zoom.node, this.plan.node, this.help]) if (dialog.open) dialog.close();
    for (const [name, f] of Object.entries(this.listeners)) this.model.off(name, f);
  }
}

export default {render(context) { const view = new CleanerView(context); return () => view.close(); }};
