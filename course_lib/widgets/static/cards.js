// Pictures as cards: a store that asks Python for pictures, a card, and a dialog that shows one or two of them large.
// An item is what Python's `card_of` says of one image: {i, v, file, label, pred, p, q, loss, split, reasons, twin, act, to, status}.

const REASON_SIGNS = {
  unreadable: '⚠', leakage: '⇄', 'near-duplicate': '≈', mislabelled: '≠', 'high loss': '▲', unsure: '?', dark: '◐', bright: '☼',
  blurry: '◌', 'odd shape': '▭', 'odd size': '⤢'};
const SPLIT_WORDS = {train: 'training', valid: 'validation', '': ''};

const percent = p => p === null || p === undefined ? '–' : p > .995 && p < 1 ? '>99 %' : p > 0 && p < .005 ? '<1 %' : `${Math.round(100*p)} %`;
const counted = (n, word) => `${n} ${word}${n === 1 ? '' : 's'}`;

/** What is decided about an item, as a sign and a word; null where nothing is. */
function fateOf(item) {
  if (item.status === 'gone') return {kind: 'gone', sign: '∅', text: 'gone', done: true};
  if (item.act === 'keep') return {kind: 'keep', sign: '✓', text: 'keep'};
  if (item.act === 'delete' && !item.done) return {kind: 'delete', sign: '✕', text: 'delete'};
  if (item.act === 'relabel' && !item.done) return {kind: 'relabel', sign: '→', text: item.to};
  if (item.status === 'trash') return {kind: 'delete', sign: '✕', text: 'in the trash', done: true};
  return item.act === 'relabel' ? {kind: 'relabel', sign: '→', text: `now ${item.now}`, done: true} : null;
}

/** A reason in full; its words may begin with its name. */
const reasonWords = r => r.words.startsWith(r.kind) ? r.words : `${r.kind}: ${r.words}`;

/** An item in one sentence, for a screen reader. */
function itemWords(item) {
  const fate = fateOf(item), words = [item.label, item.file];
  if (item.q !== null) words.push(`${percent(item.q)}`);
  if (item.pred && item.pred !== item.label) words.push(`the model says ${item.pred}, ${percent(item.p)}`);
  words.push(...item.reasons.map(reasonWords));
  if (SPLIT_WORDS[item.split]) words.push(`${SPLIT_WORDS[item.split]} set`);
  words.push(fate ? `decided: ${fate.kind === fate.text ? fate.text : `${fate.kind}, ${fate.text}`}` : 'undecided');
  return words.join('; ');
}

// ---- Pictures, asked for in small portions

const MOST_PICTURES = 900;   // kept in the browser: some 10 MB
const IN_FLIGHT = 4;         // portions on their way
const PORTION = 6;           // pictures in each
const LOST_AFTER = 15000;    // ms: then a portion is taken for lost, as when the kernel was interrupted

const pictureKey = (item, large = false) => `${item.i}:${item.v}${large ? ':L' : ''}`;

class PictureStore {
  /** `arrived()` is called when pictures have come. */
  constructor(model, arrived) {
    Object.assign(this, {model, arrived, urls: new Map(), queue: [], flying: new Map(), asked: new Set(), count: 0});
    this.name = Math.random().toString(36).slice(2);
    this.listen = (content, buffers) => this.heard(content, buffers);
    model.on('msg:custom', this.listen);
  }
  /** The address of a picture that is here, or null. */
  get(item, large = false) {
    const key = pictureKey(item, large), url = this.urls.get(key);
    if (!url) return null;
    this.urls.delete(key);         // the ones used last stay longest
    this.urls.set(key, url);
    return url;
  }
  /** These pictures are wanted, the first ones first; what was wanted before and has not been asked for is forgotten. */
  want(items, large = false) {
    this.queue = items.map(item => ({item, large})).filter(o => !this.urls.has(pictureKey(o.item, o.large)));
    this.pump();
  }
  /** One picture that goes before all others. */
  hurry(item, large = true) {
    if (this.urls.has(pictureKey(item, large))) return;
    this.queue.unshift({item, large});
    this.pump();
  }
  pump() {
    this.queue = this.queue.filter(o => !this.asked.has(pictureKey(o.item, o.large)));
    while (this.queue.length && this.flying.size < IN_FLIGHT && !this.closed) {
      const {large} = this.queue[0];
      const some = this.queue.filter(o => o.large === large).slice(0, large ? 1 : PORTION);
      this.queue = this.queue.filter(o => !some.includes(o));
      this.ask(some, large);
    }
  }
  ask(some, large) {
    const batch = `${this.name}-${++this.count}`, keys = some.map(o => pictureKey(o.item, large));
    const lost = setTimeout(() => this.landed(batch), LOST_AFTER);
    this.flying.set(batch, {keys, lost});
    keys.forEach(key => this.asked.add(key));
    try { this.model.send({op: 'pictures', ids: some.map(o => o.item.i), large, batch}); }
    catch { this.landed(batch); this.queue = []; }  // its kernel has gone
  }
  heard(content, buffers) {
    if (!content.pictures) return;
    content.pictures.forEach((told, k) => this.keep(told, new Blob([buffers[k]])));
    this.landed(content.batch);
    this.arrived();
  }
  keep({i, v, large}, blob) {
    const key = pictureKey({i, v}, large);
    if (this.urls.has(key)) return;
    this.urls.set(key, URL.createObjectURL(blob));
    for (const [old, url] of this.urls) {
      if (this.urls.size <= MOST_PICTURES) break;
      URL.revokeObjectURL(url);
      this.urls.delete(old);
    }
  }
  landed(batch) {
    const {keys, lost} = this.flying.get(batch) || {keys: []};
    clearTimeout(lost);
    this.flying.delete(batch);
    keys.forEach(key => this.asked.delete(key));
    this.pump();
  }
  close() {
    this.closed = true;
    this.model.off('msg:custom', this.listen);
    for (const {lost} of this.flying.values()) clearTimeout(lost);
    for (const url of this.urls.values()) URL.revokeObjectURL(url);
    this.urls.clear();
  }
}

// ---- A card

/** A reason as a sign, and with `full` its name. */
function chip(reason, full) {
  const sign = el('span', {class: 'cw-sign'}, REASON_SIGNS[reason.kind] || '•');
  return el('span', {class: `cw-chip${full ? '' : ' cw-chip-short'}`, 'data-kind': reason.kind, title: reasonWords(reason)},
    sign, full ? ` ${reason.kind}` : null);
}

/** A line of two parts: a name at the left, a number at the right. */
function pairLine(kind, left = '', right = '') {
  const [a, b] = [el('span', {}, left), el('span', {}, right)];
  return {node: el('div', {class: `cw-card-line ${kind}`}, a, b), set(x, y) { setText(a, x); setText(b, y); a.title = x; }};
}

/**
 * One picture with what is known of it. The same element is used for one item after the other, so `since` says when its
 * picture was last another: a press that comes too soon after that was meant for the one before.
 */
class Card {
  /** `quick` are buttons for the mouse: [sign, words, act(card)]. */
  constructor(store, {quick = []} = {}) {
    Object.assign(this, {store, item: null, since: 0});
    this.picture = el('img', {class: 'cw-card-img', alt: '', draggable: 'false'});
    this.twin = el('img', {class: 'cw-card-twin', alt: '', draggable: 'false', hidden: true});
    this.same = el('span', {class: 'cw-card-same', hidden: true}, '≈');
    this.tick = el('span', {class: 'cw-card-tick', hidden: true}, '✔');
    this.given = pairLine('cw-card-given');
    this.model = pairLine('cw-card-model');
    this.rest = pairLine('cw-card-rest');
    this.why = el('div', {class: 'cw-card-why'});
    this.fate = el('div', {class: 'cw-card-fate'});
    this.quick = el('div', {class: 'cw-card-quick', 'aria-hidden': 'true'}, ...quick.map(([sign, title, act]) =>
      el('button', {type: 'button', tabindex: '-1', title, onclick: e => { e.stopPropagation(); act(this, e); }}, sign)));
    const frame = el('div', {class: 'cw-card-pic'}, this.picture, this.twin, this.same, this.tick, this.fate, this.quick);
    this.node = el('div', {class: 'cw-card', role: 'option', tabindex: '-1', 'aria-selected': 'false'},
      frame, this.given.node, this.model.node, this.rest.node, this.why);
  }
  /** Show an item; `act` is what has just been decided and Python has not confirmed yet. */
  show(item, {twin = null, selected = false} = {}) {
    if (!this.item || pictureKey(this.item) !== pictureKey(item)) this.since = performance.now();
    const same = JSON.stringify([item, selected, twin?.v]) === this.shown;
    Object.assign(this, {item, other: twin});
    if (!same) this.fill(item, selected);
    this.shown = JSON.stringify([item, selected, twin?.v]);
    this.paint();
  }
  fill(item, selected) {
    const differs = item.pred && item.pred !== item.label;
    this.given.set(item.now || item.label, item.q === null ? '' : percent(item.q));
    this.model.set(differs ? `${item.pred}?` : item.pred ? 'model agrees' : 'no score', differs ? percent(item.p) : '');
    this.model.node.classList.toggle('cw-card-differs', Boolean(differs));
    this.rest.set(item.loss === null ? '' : `loss ${fmt(item.loss, 3)}`, {train: 'train', valid: 'valid'}[item.split] || '');
    this.why.replaceChildren(...item.reasons.slice(0, 4).map((r, k) => chip(r, k === 0)));
    this.mark(item, selected);
  }
  mark(item, selected) {
    const fate = fateOf(item);
    setText(this.fate, fate ? `${fate.sign} ${fate.text}` : '');
    this.fate.hidden = !fate;
    this.fate.title = fate ? fate.text : '';
    this.node.dataset.fate = fate ? fate.kind : '';
    this.node.classList.toggle('cw-card-done', Boolean(fate?.done));
    this.node.setAttribute('aria-selected', String(selected));
    this.tick.hidden = !selected;
    this.node.setAttribute('aria-label', itemWords(item));
  }
  /** Take the pictures from the store, as far as they are there. */
  paint() {
    setPicture(this.picture, this.store.get(this.item));
    const twin = this.other && this.store.get(this.other);
    this.twin.hidden = this.same.hidden = !this.other;
    if (this.other) setPicture(this.twin, twin);
  }
  get ready() { return this.picture.complete && Boolean(this.picture.getAttribute('src')); }
}

/** Another picture, or none; the same one is left alone. */
function setPicture(img, url) {
  if (url === img.getAttribute('src')) return;
  if (url) img.src = url;
  else img.removeAttribute('src');
}

// ---- Large

const factLine = (name, value) => value ? el('div', {class: 'cw-fact'}, el('span', {}, name), el('span', {}, value)) : null;

/** What is known of an item, in lines. */
function factsOf(item) {
  const scored = item.q !== null, label = scored ? `${item.label}  ${percent(item.q)}` : item.label;
  return [
    factLine('label', item.now && item.now !== item.label ? `${label}, now ${item.now}` : label),
    factLine('model', scored ? `${item.pred}  ${percent(item.p)}` : 'no score'),
    factLine('loss', item.loss === null ? '' : `${fmt(item.loss, 3)}${item.scored ? ` (${item.scored})` : ''}`),
    factLine('file', item.file), factLine('size', item.size), factLine('set', SPLIT_WORDS[item.split]),
  ].filter(Boolean);
}

const reasonLine = r => el('div', {class: 'cw-reason', 'data-kind': r.kind}, el('span', {class: 'cw-sign'}, REASON_SIGNS[r.kind] || '•'),
  el('span', {}, el('b', {}, r.kind), reasonWords(r).slice(r.kind.length)));

/** A dialog over the page with one picture, or a pair of nearly the same ones side by side. */
class ZoomDialog {
  /** `foot` are nodes below the pictures, `under(item, other)` nodes below each, `onturn(by)` leads to the next one. */
  constructor(store, {foot = [], under = () => [], onturn = () => {}, onclose = () => {}, label = 'one picture, large'} = {}) {
    Object.assign(this, {store, under, since: 0, item: null});
    this.title = el('div', {class: 'cw-zoom-title', 'aria-live': 'polite'});
    this.figures = el('div', {class: 'cw-zoom-figures'});
    const turn = (sign, by, title) => el('button', {type: 'button', class: 'cw-button', title, 'aria-label': title, onclick: () => onturn(by)}, sign);
    this.node = el('dialog', {class: 'cw-dialog cw-zoom', 'aria-label': label, tabindex: '-1', onclose},
      el('div', {class: 'cw-zoom-head'}, turn('◀', -1, 'the one before'), turn('▶', 1, 'the next one'), this.title,
        el('button', {type: 'button', class: 'cw-button', title: 'Esc', 'aria-label': 'close', onclick: () => this.close()}, '✕')),
      this.figures, el('div', {class: 'cw-row cw-zoom-foot'}, ...foot));
    this.node.addEventListener('click', e => { if (e.target === this.node) this.close(); });  // beside the dialog
  }
  get open() { return this.node.open; }
  show(item, other, title) {
    if (!this.item || pictureKey(this.item) !== pictureKey(item)) this.since = performance.now();
    Object.assign(this, {item, other});
    if (!this.open) { this.node.showModal(); this.node.focus(); }
    setText(this.title, title);
    const told = JSON.stringify([item, other]);
    if (told !== this.told) {
      this.told = told;
      this.parts = [item, other].filter(Boolean).map((o, k) => this.figure(o, [other, item][k]));
      this.figures.replaceChildren(...this.parts.map(p => p.node));
      this.figures.classList.toggle('cw-zoom-pair', Boolean(other));
    }
    [item, other].filter(Boolean).forEach(o => this.store.hurry(o, true));
    this.paint();
  }
  figure(item, other) {
    const fate = fateOf(item), img = el('img', {alt: `${item.label}: ${item.file}`, draggable: 'false'});
    const mark = el('div', {class: 'cw-zoom-fate'}, fate ? `${fate.sign} ${fate.text}` : '○ undecided');
    const facts = el('div', {class: 'cw-zoom-facts'}, mark, ...factsOf(item), ...item.reasons.map(reasonLine), ...this.under(item, other));
    return {item, img, node: el('figure', {'data-fate': fate ? fate.kind : ''}, el('div', {class: 'cw-zoom-pic'}, img), facts)};
  }
  /** The large pictures, and until they are here the small ones. */
  paint() {
    if (!this.open) return;
    for (const {item, img} of this.parts) setPicture(img, this.store.get(item, true) || this.store.get(item));
  }
  close() { if (this.open) this.node.close(); }
}
