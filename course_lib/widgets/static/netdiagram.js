// NetDiagram: the net of a sheet as nodes and weights. The object behind it is course_lib.training.sheet.Sheet.
// Python sends the numbers and the weights once; here a passenger flows through the net, and what-if sliders change the passenger.

const TWEEN = 350, FLOW = 1500;          // ms in which weights change; in which a passenger flows through
const STAGES = {start: .08, sums: .55, links: .62, end: .82, answer: 1};  // when, of the whole way, what is reached
const PER_WEIGHT = 8, WIDEST = 17;       // CSS pixels of a line for a weight of 1, always the same; and at most
const HALO = 13, MARKED = .3;            // CSS pixels round the weight that changed most; part of it that is worth a mark

/** A part of a drawing, as `el` is of a page. */
function svg(tag, attrs = {}, ...children) {
  const node = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [key, value] of Object.entries(attrs)) if (value != null && value !== false) node.setAttribute(key, value);
  node.append(...children.filter(c => c != null));
  return node;
}

/** A number at a node: three decimals are enough to follow it. */
function netText(v) {
  const size = Math.abs(v);
  return size < 5e-13 ? '0' : size < 5e-4 || size >= 10 ? fmt(v, 3) : fmt(Number(v.toFixed(3)));
}
const between = (v, lo, hi) => Math.max(lo, Math.min(v, hi));

// ---- The numbers

/** What becomes of a raw cell, in words: '22 ÷ 80'. */
function preparedWords({source, does}, cell) {
  const say = {one: () => 'always 1', divide: (text, by) => `${text} ÷ ${fmt(by)}`, log: (text, by) => `${WAY_LOGS[by][1]}(1 + ${text})`,
    is: text => `${source} ${text}`};
  return does.reduce((text, [what, by]) => say[what](text, by), typeof cell === 'number' ? fmt(cell) : cell);
}

/** What a net computes from the numbers and the weights. */
class NetSums {
  take(bytes, rows, columns) {
    const all = new Float64Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
    Object.assign(this, {n: rows, k: columns, x: all.subarray(0, rows*columns), y: all.subarray(rows*columns)});
  }
  row(i) { return Array.from(this.x.subarray(i*this.k, (i + 1)*this.k)); }
  /** One row: products, sums, what the ReLUs let through, and the prediction. `w` has the weights of each column, one for each set. */
  flow(x, w) {
    const products = x.map((v, j) => w[j].map(u => v*u));
    const sums = w[0].map((_, s) => products.reduce((a, p) => a + p[s], 0));
    const outs = sums.length > 1 ? sums.map(v => Math.max(0, v)) : sums;
    return {x, w, products, sums, outs, pred: outs.reduce((a, v) => a + v, 0)};
  }
  /** All rows: the squared errors, their mean, and how many predictions are right. */
  all(w) {
    const {n, k, x, y} = this, sets = w[0].length, errors = new Float64Array(n);
    let right = 0;
    for (let i = 0; i < n; i++) {
      let pred = 0;
      for (let s = 0; s < sets; s++) {
        let sum = 0;
        for (let j = 0; j < k; j++) sum += x[i*k + j]*w[j][s];
        pred += sets === 1 ? sum : Math.max(0, sum);
      }
      errors[i] = (pred - y[i])**2;
      right += (pred > .5) === (y[i] === 1);
    }
    return {errors, loss: errors.reduce((a, v) => a + v, 0)/n, accuracy: right/n};
  }
}

// ---- The drawing

/** Where everything stands, in CSS pixels; `width` is what there is. */
function netPlaces(width, k, sets) {
  const small = width < 600, two = sets > 1, high = two ? 42 : 34, top = 8, height = Math.max(top*2 + k*high, 230);
  const label = small ? 76 : Math.min(190, .2*width), box = small ? 40 : 54, mid = width < 740;
  const hidden = small ? 66 : mid ? 80 : 92, out = small ? 66 : mid ? 88 : 112;
  const rows = Array.from({length: k}, (_, j) => top + (height - 2*top)*(j + .5)/k);
  const lane = label + box + (small ? 102 : 132), end = width - out - 3, middle = height/2;
  const nodes = two ? [.27, .73].map(part => ({x: end - (small ? 18 : mid ? 36 : 56) - hidden, y: height*part, w: hidden, h: 66})) : [];
  return {width, height, small, mid, two, rows, label, box, lane, nodes, out: {x: end, y: middle, w: out, h: 92}};
}

/** The way of an edge from an input to the node of its set: a little apart, straight on while its number is read, then over. */
function edgeWay(p, j, s) {
  const to = p.two ? p.nodes[s] : p.out, y = p.rows[j], side = p.two ? (s ? 10 : -10) : 0, x0 = p.label + p.box, room = to.h - 30;
  const end = to.y + room*((j + .5)/p.rows.length - .5), bend = (p.lane + to.x)/2;
  const points = [[x0, y + side*.7], [x0 + 8, y + side], [p.lane, y + side]];
  for (let i = 1; i <= 24; i++) {
    const t = i/24, a = (1 - t)**3, b = 3*t*(1 - t)**2, c = 3*t*t*(1 - t), d = t**3;
    points.push([a*p.lane + (b + c)*bend + d*to.x, (a + b)*(y + side) + (c + d)*end]);
  }
  const d = `M${x0},${y + side*.7} L${x0 + 8},${y + side} H${p.lane} C${bend},${y + side} ${bend},${end} ${to.x},${end}`;
  return {points, d, text: [x0 + 11, y + side]};
}
function linkWay(p, s) {
  const {x, y, w} = p.nodes[s], to = p.out, end = to.y + (s ? 18 : -18), x0 = x + w, bend = (x0 + to.x)/2;
  const points = Array.from({length: 13}, (_, i) => {
    const t = i/12, a = (1 - t)**3 + 3*t*(1 - t)**2;
    return [x0 + (to.x - x0)*t, a*y + (1 - a)*end];
  });
  return {points, d: `M${x0},${y} C${bend},${y} ${bend},${end} ${to.x},${end}`, text: [bend, (y + end)/2]};
}
function pointAt(points, t) {
  const at = between(t, 0, 1)*(points.length - 1), i = Math.min(Math.floor(at), points.length - 2), part = at - i;
  return [0, 1].map(c => points[i][c] + part*(points[i + 1][c] - points[i][c]));
}

/** The net. `does`: {look(part), hover(part)}, called with what the hand is on; a part is {kind, j, s}. */
class NetDrawing {
  constructor(does) {
    Object.assign(this, {does, parts: [], at: 0, t: 1});
    this.svg = svg('svg', {class: 'cw-net-svg', role: 'group', 'aria-label': 'the net; arrow keys lead from part to part'});
    this.node = el('div', {class: 'cw-net-drawing'}, this.svg);
    this.svg.addEventListener('keydown', e => this.key(e));
    this.node.addEventListener('focusin', e => this.focused(e.target));  // on the svg it would make that itself take the focus
    const pointed = e => this.pointed(e.type, e.target.closest('.cw-net-part')?.shows);
    for (const kind of ['pointerover', 'pointerout', 'click']) this.svg.addEventListener(kind, pointed);
    this.watch = new ResizeObserver(() => this.layout());
    this.watch.observe(this.node);
  }
  /** What is to be seen: {state, flow, was, cells, base, tried, largest}. */
  show(what) {
    this.what = what;
    if (this.fits) this.paint(); else this.layout();
  }
  get net() { return this.what?.state.columns.join('|') + this.what?.state.sets.length; }
  /** Whether what is drawn is this net: while it is out of sight it cannot be laid out. */
  get fits() { return this.drawn === this.net; }

  // Making
  layout() {
    const width = Math.floor(this.node.clientWidth);
    if (!this.what || width < 60) return;
    this.drawn = this.net;
    const {columns, sets} = this.what.state, kept = this.parts[this.at]?.part, focused = this.svg.contains(document.activeElement);
    const p = this.places = netPlaces(Math.max(width, 330), columns.length, sets.length);
    this.svg.setAttribute('viewBox', `0 0 ${p.width} ${p.height}`);
    this.svg.style.height = `${p.height*Math.min(1, width/p.width)}px`;
    this.node.classList.toggle('cw-net-small', p.small);
    this.edges = columns.flatMap((_, j) => sets.map((_, s) => this.edge(j, s)));
    this.links = p.nodes.map((_, s) => this.link(s));
    this.inputs = columns.map((name, j) => this.input(name, j));
    this.hidden = p.nodes.map((_, s) => this.sumNode(s));
    this.out = this.output();
    this.dots = [...this.edges, ...this.links].map(() => svg('circle', {class: 'cw-net-dot', r: 0}));
    this.parts = [...this.inputs, ...this.edges, ...this.hidden, ...this.links, this.out];
    const halos = svg('g', {'aria-hidden': 'true'}, ...this.edges.map(o => o.halo));  // behind all lines
    this.svg.replaceChildren(halos, ...this.edges.map(o => o.node), ...this.links.map(o => o.node), svg('g', {'aria-hidden': 'true'}, ...this.dots),
      ...this.inputs.map(o => o.node), ...this.hidden.map(o => o.node), this.out.node);
    this.at = Math.max(0, this.parts.findIndex(o => o.part.kind === kept?.kind && o.part.j === kept.j && o.part.s === kept.s));
    this.parts.forEach((o, i) => o.node.setAttribute('tabindex', i === this.at ? 0 : -1));
    if (focused) this.parts[this.at].node.focus();
    this.paint();
  }
  part(part, ...children) {
    const node = svg('g', {class: `cw-net-part cw-net-${part.kind}`, role: 'img', tabindex: -1}, ...children);
    node.shows = part;  // `part` is the browser's own
    return node;
  }
  text(x, y, name, anchor = 'start') { return svg('text', {x, y, class: name, 'text-anchor': anchor}); }
  edge(j, s) {
    const way = edgeWay(this.places, j, s), [ring, line, reach] = ['ring', 'line', 'reach'].map(o => svg('path', {d: way.d, class: `cw-net-${o}`}));
    const halo = svg('path', {d: way.d, class: 'cw-net-halo'}), [x, y] = way.text, part = {kind: 'edge', j, s};
    const text = this.text(x, y + 3.5, 'cw-net-number cw-net-product');
    const ground = svg('rect', {x: x - 3, y: y - 7, height: 14, class: 'cw-net-ground'});
    return {way, line, halo, text, ground, part, node: this.part(part, ring, line, ground, text, reach)};
  }
  link(s) {
    const way = linkWay(this.places, s), [ring, line, reach] = ['ring', 'line', 'reach'].map(o => svg('path', {d: way.d, class: `cw-net-${o}`}));
    const part = {kind: 'link', s};
    return {way, line, part, node: this.part(part, ring, line, reach)};
  }
  input(name, j) {
    const {rows, label, box, small} = this.places, y = rows[j], part = {kind: 'input', j};
    const reach = svg('rect', {x: 0, y: y - 15, width: label, height: 30, class: 'cw-net-reach'});
    const head = this.text(0, y - 2, 'cw-net-name'), how = this.text(0, y + 11, 'cw-net-how');
    const rect = svg('rect', {x: label, y: y - 11, width: box, height: 22, rx: 11, class: 'cw-net-box'});
    const value = this.text(label + box/2, y + 4, 'cw-net-number', 'middle');
    const most = Math.floor(label/(small ? 6.8 : 7.8));
    setText(head, shortened(name, most));
    return {head, how, rect, value, part, node: this.part(part, reach, rect, head, how, value)};
  }
  sumNode(s) {
    const {x, y, w, h} = this.places.nodes[s], part = {kind: 'hidden', s}, middle = x + w/2;
    const rect = svg('rect', {x, y: y - h/2, width: w, height: h, rx: 9, class: 'cw-net-box'});
    const sum = this.text(middle, y - 13, 'cw-net-number cw-net-sum', 'middle');
    const after = this.text(middle, y + 22, 'cw-net-number cw-net-big', 'middle');
    const icon = svg('path', {d: `M${middle - 13},${y + 2} h13 l9,-9`, class: 'cw-net-icon'});
    return {sum, after, rect, part, node: this.part(part, rect, sum, icon, after)};
  }
  output() {
    const {x, y, w, h} = this.places.out, part = {kind: 'out'}, middle = x + w/2;
    const rect = svg('rect', {x, y: y - h/2, width: w, height: h, rx: 9, class: 'cw-net-box'});
    const at = (dy, name) => this.text(middle, y + dy, name, 'middle');
    const title = at(-28, 'cw-net-how'), value = at(-5, 'cw-net-number cw-net-huge'), was = at(13, 'cw-net-number cw-net-was');
    const verdict = at(34, 'cw-net-how'), answer = at(h/2 + 18, 'cw-net-name'), error = at(h/2 + 34, 'cw-net-how cw-net-error');
    setText(title, this.places.mid ? 'prediction' : this.places.two ? 'added: prediction' : 'sum = prediction');
    return {rect, value, was, verdict, answer, error, part, node: this.part(part, rect, title, value, was, verdict, answer, error)};
  }

  // Painting
  paint() {
    if (!this.edges || !this.fits) return;
    const {flow} = this.what, reached = when => this.t >= when;
    for (const o of this.edges) this.paintEdge(o);
    this.inputs.forEach((o, j) => this.paintInput(o, j));
    this.hidden.forEach((o, s) => {
      const cut = flow.sums[s] <= 0, there = reached(STAGES.sums);
      setText(o.sum, there ? `sum ${netText(flow.sums[s])}` : 'sum …');
      setText(o.after, there ? netText(flow.outs[s]) : '');
      o.node.classList.toggle('cw-net-cut', there && cut);
    });
    this.links.forEach((o, s) => { o.line.setAttribute('stroke-width', 2.5); o.node.classList.toggle('cw-net-idle', flow.outs[s] === 0); });
    this.paintOut();
    this.paintDots();
  }
  paintEdge({line, halo, text, ground, node, part: {j, s}}) {
    const {flow, change, state: {colours}} = this.what, w = flow.w[j][s], minus = w < 0, product = flow.products[j][s];
    const wide = Math.min(WIDEST, 1 + PER_WEIGHT*Math.abs(w)), part = change ? Math.abs(change.by[j][s])/change.most : 0;
    line.setAttribute('stroke-width', wide.toFixed(2));
    halo.setAttribute('stroke-width', part < MARKED ? 0 : (wide + HALO*part**2).toFixed(2));
    node.classList.toggle('cw-net-silent', flow.sums.length > 1 && this.t >= STAGES.sums && flow.sums[s] <= 0);
    line.style.stroke = minus ? colours.curve : colours.data;
    line.setAttribute('stroke-dasharray', minus ? '7 4' : 'none');
    node.classList.toggle('cw-net-idle', product === 0);
    const mark = part < MARKED ? '' : change.grew[j][s] ? ' ▲' : ' ▼';
    const words = `× ${netText(w)}${mark}${this.t >= STAGES.start + .1 ? ` = ${netText(product)}` : ''}`;
    if (text.textContent === words) return;
    text.textContent = words;
    const [sign, wider] = this.places.small ? [5.1, 2.2] : [6, 2.8];  // to measure it would take a layout each time
    ground.setAttribute('width', words.length*sign + words.split('−').length*wider + (mark && 6) + 6);
  }
  paintInput({how, value, node}, j) {
    const {state: {ways}, cells, flow, tried} = this.what, way = ways[j], changed = way.source !== null && way.source in tried;
    setText(value, netText(flow.x[j]));
    const words = preparedWords(way, cells[way.source]), room = this.places.label/(this.places.small ? 5.2 : 5.9);
    setText(how, words.length > room ? `${words.slice(0, Math.floor(room) - 1)}…` : words);
    node.classList.toggle('cw-net-tried', changed);
    node.classList.toggle('cw-net-idle', flow.x[j] === 0);
  }
  paintOut() {
    const {state, flow, was, answer, isTried} = this.what, {value, was: before, verdict, answer: real, error, node} = this.out;
    const there = this.t >= STAGES.end, known = this.t >= STAGES.answer, right = (was.pred > .5) === (answer === 1);
    setText(value, there ? netText(flow.pred) : '…');
    setText(before, there && isTried ? `was ${netText(was.pred)}` : '');
    setText(verdict, there ? (flow.pred > .5 ? '> ½, so 1' : '≤ ½, so 0') : '');
    setText(real, known ? `${shortened(state.target, 13)} ${answer} ${right ? '✓' : '✗'}` : '');
    setText(error, known ? `error² ${netText((was.pred - answer)**2)}${isTried && !this.places.mid ? ' as it was' : ''}` : '');
    node.classList.toggle('cw-net-tried', isTried);
  }
  /** What flows: dots as large as the products, blue and orange as their sign. */
  paintDots() {
    const {flow, state: {colours}} = this.what, {start, sums, links, end} = STAGES;
    const size = v => v === 0 ? 0 : between(2 + 7*Math.sqrt(Math.abs(v)/this.most), 2.2, 9);
    this.most = Math.max(1e-12, ...flow.products.flat().map(Math.abs));
    [...this.edges, ...this.links].forEach((o, i) => {
      const edge = o.part.kind === 'edge', from = edge ? start : links, to = edge ? (this.links.length ? sums : end) : end;
      const part = (this.t - from)/(to - from), v = edge ? flow.products[o.part.j][o.part.s] : flow.outs[o.part.s], dot = this.dots[i];
      const seen = part > 0 && part < 1;
      dot.setAttribute('r', seen ? size(v) : 0);
      if (!seen) return;
      const [x, y] = pointAt(o.way.points, edge ? (part < .3 ? part*.4 : .12 + (part - .3)/.7*.88) : part);
      dot.setAttribute('cx', x.toFixed(1)); dot.setAttribute('cy', y.toFixed(1));
      dot.setAttribute('fill', v < 0 ? colours.curve : colours.data);
    });
  }
  /** Let it flow: a number appears where the flow has come. */
  play(then = () => {}) {
    cancelAnimationFrame(this.ticking);
    if (reducedMotion()) { this.t = 1; this.paint(); return then(); }
    const since = performance.now();
    const tick = now => {
      this.t = between((now - since)/FLOW, 0, 1);
      this.paint();
      if (this.t < 1) this.ticking = requestAnimationFrame(tick); else then();
    };
    this.t = 0;
    this.ticking = requestAnimationFrame(tick);
  }
  rest() { cancelAnimationFrame(this.ticking); this.t = 1; }

  // The hand
  pointed(kind, part) {
    if (!part) { if (kind === 'pointerout') this.does.hover(null); return; }
    if (kind === 'click') return this.go(this.parts.findIndex(o => o.node.shows === part));
    this.does.hover(kind === 'pointerover' ? part : null);
  }
  go(i) { this.parts[i]?.node.focus({preventScroll: true}); }
  /** Tab leads back to the part that had the focus last. */
  focused(node) {
    const at = this.parts.findIndex(o => o.node === node);
    if (at < 0) return;
    this.parts[this.at]?.node.setAttribute('tabindex', -1);
    this.at = at;
    node.setAttribute('tabindex', 0);
    this.does.look(node.shows);
  }
  /** Up and down among parts of one kind, left and right from kind to kind. */
  key(e) {
    const groups = [this.inputs, this.edges, this.hidden, this.links, [this.out]].filter(g => g.length), here = this.parts[this.at];
    const g = groups.findIndex(o => o.includes(here)), i = groups[g].indexOf(here), by = {ArrowLeft: -1, ArrowRight: 1}[e.key];
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    const within = {ArrowUp: groups[g][i - 1], ArrowDown: groups[g][i + 1], Home: groups[g][0], End: groups[g].at(-1)};
    const to = by ? this.beside(groups, g + by, here.part) : within[e.key];
    if (!by && !['ArrowUp', 'ArrowDown', 'Home', 'End'].includes(e.key)) return;
    e.preventDefault();
    if (to) this.go(this.parts.indexOf(to));
  }
  beside(groups, g, {j, s}) {
    const group = groups[g];
    if (!group) return null;
    const same = (a, b) => a === undefined || b === undefined || a === b;
    return group.find(o => same(o.part.j, j) && same(o.part.s, s)) || group[0];
  }
  label(words) { if (this.fits) for (const o of this.parts) o.node.setAttribute('aria-label', words(o.part)); }
  close() { this.watch.disconnect(); cancelAnimationFrame(this.ticking); }
}

// ---- The view

class NetView extends SheetPage {
  constructor({model, el: holder}) {
    super();
    const start = {run: 0, rank: 0, look: {kind: 'out'}, hovered: null, tried: {}, sliders: {}};
    Object.assign(this, {model, el: holder, sums: new NetSums(), ...start});
    this.line = new Line(model, busy => this.root.warn(busy ? BUSY : this.state.message));
    const by = n => () => this.choose(this.at + n);
    this.root = makeRoot(this, {label: 'Net', hint: 'N next · B before · O other passenger · M most wrong · F flow · S step · P play · V solve · '
      + 'R randomise · Ctrl+Z undo · Ctrl+Y redo · in the net: arrow keys',
      keys: {n: by(1), b: by(-1), o: () => this.other(), m: () => this.mostWrong(), f: () => this.flowOnce(), ...this.toolKeys}});
    this.root.root.classList.add('cw-net');
    this.drawing = new NetDrawing({look: part => this.lookAt(part), hover: part => this.hover(part)});
    this.code = codeBox(this.line);
    this.controls();
    this.layout();
    this.listeners = {'change:state': () => this.heard()};
    for (const [name, f] of Object.entries(this.listeners)) model.on(name, f);
    this.heard();
  }
  // Making
  controls() {
    this.tools = this.makeTools('weights');
    this.before = button('◀', () => this.choose(this.at - 1), {title: 'B: the one before'});
    this.next = button('▶', () => this.choose(this.at + 1), {title: 'N: the next one'});
    this.before.setAttribute('aria-label', 'the row before');
    this.next.setAttribute('aria-label', 'the next row');
    this.another = button('Random', () => this.other(), {title: 'O: any other row'});
    this.worst = button('Most wrong', () => this.mostWrong(), {title: 'M: the row with the largest error; again for the next one'});
    this.flowButton = button('Flow', () => this.flowOnce(), {title: 'F: from the inputs to the prediction'});
    this.reset = button('As it was', () => this.act('as_it_was'), {title: 'the real raw cells again'});
    const settle = v => this.choose(Math.round(v) - 1, false);
    this.place = slider('place', {lo: 1, hi: 2, value: 1, whole: true, label: 'place'}, v => this.glance(v), settle);
  }
  layout() {
    const row = (...nodes) => el('div', {class: 'cw-row'}, ...nodes);
    Object.assign(this, {who: el('div', {class: 'cw-net-who'}), then: el('div', {class: 'cw-net-then', role: 'status'}),
      readout: el('div', {class: 'cw-net-words'}), changes: el('div', {class: 'cw-net-changes'}), knob: el('div', {class: 'cw-net-knob'}),
      what: el('div', {class: 'cw-net-fields'})});
    const tools = el('div', {class: 'cw-net-tools', role: 'toolbar', 'aria-label': 'weights'}, ...this.tools,
      row(this.relus, this.normalise, this.log));
    this.legend = el('div', {class: 'cw-legend'});
    this.passenger = el('section', {class: 'cw-net-passenger', 'aria-label': 'which row'}, this.place.node,
      row(this.before, this.next, this.another, this.worst, this.flowButton), this.who);
    const head = el('div', {class: 'cw-net-head'}, el('b', {}, 'What if …'), this.reset);
    const trial = el('section', {class: 'cw-net-trial', 'aria-label': 'what if'}, head, this.what, this.then);
    const slot = el('div', {class: 'cw-net-slot'}, this.legend);  // a message lies over the legend: nothing moves under the hand
    const readout = el('div', {class: 'cw-net-readout'}, this.readout, this.knob, this.changes);
    const left = el('div', {class: 'cw-net-left'}, this.drawing.node, readout, slot);
    const grid = el('div', {class: 'cw-net-grid'}, left, el('div', {class: 'cw-net-panel'}, this.passenger, trial));
    this.root.body(el('div', {class: 'cw-net-all'}, ...this.makeTop(), tools, grid, this.code.node, this.note));
    slot.append(this.root.message);
  }

  // What Python says
  heard() {
    const s = this.state, bytes = this.model.get('cells');
    if (bytes !== this.bytes) { this.sums.take(bytes, s.rows, s.columns.length); this.bytes = bytes; }
    this.raw = this.rawNow(s.edits);
    if (this.line.idle && !this.held) Object.assign(this, {at: s.at, tried: {...s.what}});
    this.at = between(this.at, 0, s.rows - 1);
    const fits = this.w && this.w.length === s.columns.length && this.w[0].length === s.sets.length;
    const mine = s.ack !== this.acked && (s.ack || '').startsWith(this.line.name);
    this.acked = s.ack;
    if (!fits) Object.assign(this, {hovered: null, before: null, look: this.kept(s)});
    else if (!mine && this.line.idle && String(s.w) !== String(this.w)) this.before = null;  // it came from another view
    if (!fits || (this.line.idle && !this.weight?.dragging)) this.turnTo(s.w, fits);
    this.fields(s.fields);
    this.settings(s);
    this.news(s.message);
    if (this.playing && s.ack === this.beat) this.goOn();
    if (!this.playing && s.alt !== this.told) this.root.say(this.told = s.alt);
    this.code.show(s.code);
    this.draw();
  }
  /** The part that is looked at, if another net still has it. */
  kept({columns, sets}) {
    const {kind, j = 0, s = 0} = this.look, two = sets.length > 1;
    return j < columns.length && s < sets.length && (two || !['hidden', 'link'].includes(kind)) ? this.look : {kind: 'out'};
  }
  /** Whether a slider is under the hand: what comes from elsewhere must wait. */
  get held() { return [this.place, ...Object.values(this.sliders)].some(o => o.dragging); }
  settings(s) {
    this.showTools(s);
    this.place.set(this.at + 1, 1, s.rows);
    setText(this.came, `weights: ${s.came}`);
    const {data, curve, ink} = s.colours, key = data + s.relus;
    if (key === this.legendKey) return;
    this.legendKey = key;
    const weights = legend([{name: 'weight above 0', colour: data}, {name: 'below 0', colour: curve, dash: true}]).children;
    const links = s.relus ? legend([{name: 'ReLU added as it is', colour: ink}]).children : [];
    const faint = `the wider, the larger; faint: nothing flows${s.relus ? ', or into a ReLU that lets nothing through' : ''}`;
    const halo = el('span', {}, el('i', {class: 'cw-net-haloed'}), 'changed by the last press, the broader the more; ▲ has grown, ▼ has shrunk');
    this.legend.replaceChildren(...weights, ...links, el('span', {}, faint), halo);
  }
  /** New weights are not there at once: they are seen on their way. */
  turnTo(w, fits) {
    this.w = w.map(row => [...row]);
    if (!fits || !this.seen || reducedMotion() || this.moving) { this.seen = this.w; return; }
    const from = this.seen.map(row => [...row]), same = from.every((row, j) => row.every((v, s) => v === this.w[j][s]));
    if (same) return;
    const since = performance.now(), long = this.playing ? PLAY_WAIT : TWEEN, to = this.w;
    cancelAnimationFrame(this.tween);
    const tick = now => {
      const t = between((now - since)/long, 0, 1), part = t*t*(3 - 2*t);
      this.seen = t < 1 ? from.map((row, j) => row.map((v, s) => v + part*(to[j][s] - v))) : to;
      this.draw();
      if (t < 1) this.tween = requestAnimationFrame(tick);
    };
    this.tween = requestAnimationFrame(tick);
  }

  // Drawing
  draw() { this.asked ||= requestAnimationFrame(() => { this.asked = null; this.paint(); }); }
  /** The raw cells of the row, with what is tried; a number as a number. */
  cells(tried) {
    const levels = Object.fromEntries(this.state.fields.map(f => [f.name, f.levels && !f.is_number]));
    return Object.fromEntries(this.state.raw_columns.map(n => {
      const text = this.raw.cells[n][this.at];
      return [n, n in tried ? tried[n] : levels[n] ? text : Number(text)];
    }));
  }
  paint() {
    const {state, sums, at, tried} = this, w = this.seen, x = sums.row(at), isTried = Object.keys(tried).length > 0;
    if (w.length !== sums.k) return;
    const cells = this.cells(tried), now = state.ways.map((way, j) => way.source in tried ? prepared(way, tried[way.source]) : x[j]);
    const was = sums.flow(x, w), flow = isTried ? sums.flow(now, w) : was, change = this.changed();
    this.now = {state, flow, was, cells, tried, isTried, change, answer: sums.y[at]};
    const of = this.w;  // not of the weights that are on their way there: words and numbers belong together
    const counted = this.counted === of && this.countedOf === this.bytes;
    if (!counted) Object.assign(this, {all: sums.all(of), counted: of, countedOf: this.bytes});
    this.showTop(this.all);
    this.drawing.show(this.now);
    this.sayChanges(change);
    this.sayTrial();
    this.sayWho();
    this.read();
    clearTimeout(this.labelling);
    this.labelling = setTimeout(() => this.drawing.label(part => this.words(part)), 250);
  }
  /** What the last press did to the weights: by how much, and whether they have grown; null where it did nothing. */
  changed() {
    const {w, before} = this;
    if (!before) return null;
    const by = w.map((row, j) => row.map((v, s) => v - before[j][s])), most = Math.max(...by.flat().map(Math.abs));
    return most > 1e-12 ? {by, most, grew: w.map((row, j) => row.map((v, s) => Math.abs(v) > Math.abs(before[j][s])))} : null;
  }
  sayChanges(change) {
    const all = change ? change.by.flatMap((row, j) => row.map((v, s) => [Math.abs(v)/change.most, j, s])) : [];
    const three = all.filter(o => o[0] >= MARKED).sort((a, b) => b[0] - a[0]).slice(0, 3);
    const words = three.map(([, j, s]) => `${this.edgeName(j, s)} ${netText(this.before[j][s])} → ${netText(this.w[j][s])}`);
    setText(this.changes, change ? `Changed most by the last press: ${words.join('; ')}` : '');
  }
  edgeName(j, s) { return `${this.state.columns[j]} → ${this.state.sets.length > 1 ? `sum ${s + 1}` : 'sum'}`; }
  sayWho() {
    const {raw, at, state} = this, name = raw.names[at];
    setText(this.who, `Row ${raw.labels[at]}${name ? `: ${name}` : ''}; ${state.target} ${this.now.answer} (place ${at + 1} of ${state.rows})`);
    this.place.range.setAttribute('aria-valuetext', `row ${raw.labels[at]} ${name || ''}`);
  }
  sayTrial() {
    const {was, flow, isTried, state, tried} = this.now, gain = flow.pred - was.pred;
    this.reset.disabled = !isTried;
    const plus = gain >= 0 ? '+' : '';
    const words = isTried ? [`prediction ${netText(was.pred)} → `, el('b', {}, netText(flow.pred)), ` (${plus}${netText(gain)})`]
      : [`prediction ${netText(was.pred)}. Move a slider: only this row is changed, and only on trial.`];
    const far = state.fields.filter(f => f.name in tried && (tried[f.name] < f.lo || tried[f.name] > f.hi));
    const beyond = far.map(f => `. ${f.name} ${fmt(tried[f.name])} is beyond all rows (${fmt(f.lo)} to ${fmt(f.hi)})`);
    this.then.replaceChildren(...words, ...beyond);
    for (const [name, t] of Object.entries(this.sliders)) t.node.classList.toggle('cw-net-changed', name in this.tried);
  }

  // Words for a part
  words(part) {
    const {flow} = this.now, {state} = this, {j, s} = part, sum = state.relus ? `sum ${s + 1}` : 'the prediction';
    if (part.kind === 'input') return this.inputWords(j);
    if (part.kind === 'edge') {
      const p = flow.products[j][s], ends = p === 0 ? 'Nothing flows.' : `It moves ${sum} ${p > 0 ? 'up' : 'down'}.`;
      const cut = state.relus && flow.sums[s] <= 0 ? ` But ${sum} is not above 0, so its ReLU lets nothing through.` : '';
      return `${state.columns[j]} ${netText(flow.x[j])} × weight ${netText(flow.w[j][s])} = ${netText(p)}. ${ends}${cut}`;
    }
    if (part.kind === 'hidden') {
      const after = flow.sums[s] > 0 ? 'It is above 0, so the ReLU lets it through' : 'It is not above 0, so the ReLU makes 0 of it';
      return `sum ${s + 1}: ${flow.x.length} products add up to ${netText(flow.sums[s])}. ${after}: ${netText(flow.outs[s])}.`;
    }
    if (part.kind === 'link') return `ReLU ${s + 1} = ${netText(flow.outs[s])} is added to the prediction as it is: this line has no weight.`;
    return this.outWords();
  }
  inputWords(j) {
    const {flow, cells} = this.now, {state} = this, way = state.ways[j], name = state.columns[j];
    if (way.source === null) return `${name}: 1 in every row. Its weight is what the net starts from.`;
    const [what, level] = way.does[0] || [];
    if (what === 'is') return `${name}: ${way.source} is ${cells[way.source]}${flow.x[j] ? '' : `, not ${level}`}, so ${netText(flow.x[j])}.`;
    const largest = way.does.some(([o]) => o === 'divide') ? ' (the largest there is)' : '';
    return `${name}: ${preparedWords(way, cells[way.source])}${largest} = ${netText(flow.x[j])}.`;
  }
  outWords() {
    const {flow, was, isTried, answer} = this.now, {state} = this;
    const parts = state.relus ? `ReLU 1 + ReLU 2 = ${flow.outs.map(netText).join(' + ')}` : `the sum of ${flow.x.length} products`;
    const made = `${parts} = ${netText(flow.pred)}`;
    const real = `${state.target} is ${answer}: error² = (${netText(was.pred)} − ${answer})² = ${netText((was.pred - answer)**2)}.`;
    return `prediction = ${made}. ${isTried ? `As it was: ${netText(was.pred)}. ` : ''}${real}`;
  }
  hover(part) { this.hovered = part; this.draw(); }
  lookAt(part) {
    this.look = part;
    this.hovered = null;
    this.draw();
  }
  /** The words for the part under the hand, and for an edge a slider for its weight. */
  read() {
    setText(this.readout, this.words(this.hovered || this.look));
    const {look, state} = this, edge = look.kind === 'edge' && look.j < state.columns.length && look.s < state.sets.length;
    const wanted = edge ? `${state.columns[look.j]}|${look.s}|${state.sets.length}` : '';
    if (wanted !== this.knobKey) this.makeKnob(wanted);
    if (!edge) return;
    this.weight.set(this.w[look.j][look.s], -2, 2);
    this.weight.say(slopeWords(state.slopes[look.j][look.s], state.settled[look.j][look.s], state.rows));
  }
  makeKnob(wanted) {
    this.knobKey = wanted;
    this.weight?.close();
    this.weight = null;
    const how = 'Click a line, or use the arrow keys in the net, to change its weight here.';
    if (!wanted) return this.knob.replaceChildren(el('span', {class: 'cw-note'}, how));
    const {j, s} = this.look, name = this.edgeName(j, s);
    const move = v => this.weigh(j, s, v), rest = v => this.weigh(j, s, v, true);
    this.weight = slider('weight', {lo: -2, hi: 2, value: this.w[j][s], label: `weight ${name}`, step: .01}, move, rest);
    this.knob.replaceChildren(this.weight.node);
  }
  weigh(j, s, value, rest = false) {
    cancelAnimationFrame(this.tween);
    const w = this.w.map(row => [...row]);
    w[j][s] = value;
    if (this.sums.all(w).loss < this.state.most_loss) {  // what Python will refuse is not shown first
      if (!this.moving && !rest) this.before = this.w;
      this.seen = this.w = w;
    }
    this.moving = !rest;
    this.draw();
    const args = {column: this.state.columns[j], value, which: s, run: this.run};
    if (!rest) return this.line.latest('drag', args);
    this.send('put', args);
    this.run++;
  }

  // Who it is
  choose(at, flow = true) {
    const to = between(at, 0, this.state.rows - 1);
    if (flow) this.rank = 0;
    Object.assign(this, {at: to, tried: {}});
    this.send('choose', {at: to});
    this.place.set(to + 1);
    this.fields(this.state.fields);
    if (flow) this.flowOnce(); else { this.drawing.rest(); this.draw(); }
  }
  /** While the slider passes by. */
  glance(v) {
    Object.assign(this, {at: between(Math.round(v) - 1, 0, this.state.rows - 1), tried: {}, rank: 0});
    this.drawing.rest();
    this.fields(this.state.fields);
    this.draw();
  }
  other() {
    const n = this.state.rows;
    if (n > 1) this.choose((this.at + 1 + Math.floor(Math.random()*(n - 1))) % n);
  }
  /** The largest error; pressed again, the next one. */
  mostWrong() {
    const {errors} = this.sums.all(this.w), order = Array.from(errors.keys()).sort((a, b) => errors[b] - errors[a]), rank = this.rank % order.length;
    this.choose(order[rank]);
    this.rank = rank + 1;
    this.root.say(`number ${this.rank} of the most wrong`);
  }
  flowOnce() { this.draw(); this.drawing.play(); }

  // What if
  fields(all) {
    const key = JSON.stringify(all.map(f => [f.name, f.levels, f.whole]));
    if (key !== this.fieldsKey) this.makeFields(all, key);
    const cells = this.cells(this.tried);
    for (const f of all) {
      const t = this.sliders[f.name];
      if (!f.levels) t.set(cells[f.name], f.lo, f.hi);
      else if (t.box.value !== String(cells[f.name])) t.box.value = cells[f.name];
    }
  }
  makeFields(all, key) {
    this.closeFields();
    this.fieldsKey = key;
    for (const f of all) {
      this.sliders[f.name] = f.levels ? this.levelField(f) : this.numberField(f);
      this.sliders[f.name].node.title = f.name;  // a long name is cut off
    }
    this.what.replaceChildren(...all.map(f => this.sliders[f.name].node));
  }
  numberField({name, lo, hi, whole}) {
    return slider(name, {lo, hi, value: lo, whole, label: name}, v => this.trying(name, v), v => this.try(name, v));
  }
  levelField({name, levels, is_number}) {
    const take = v => { this.trying(name, v); this.try(name, v); };
    const field = choice(name, levels.map(o => [o, o]), levels[0], v => take(is_number ? Number(v) : v));
    field.firstChild.replaceWith(el('span', {class: 'cw-name'}, name));
    field.classList.add('cw-net-level');
    return {node: field, box: field.box};
  }
  trying(name, value) {
    this.drawing.rest();
    this.tried = {...this.tried, [name]: value};
    this.draw();
  }
  try(name, value) { this.send('what', {column: name, value}); }
  closeFields() { for (const t of Object.values(this.sliders)) t.close?.(); this.sliders = {}; }

  // Weights
  act(op, args = {}) {
    this.moving = false;
    this.before = ['step', 'solve'].includes(op) ? this.w : null;
    super.act(op, args);
  }
  play() { this.before = this.w; this.drawing.rest(); super.play(); }
  close() {
    this.pause();
    clearTimeout(this.labelling);
    for (const id of [this.tween, this.asked]) cancelAnimationFrame(id);
    this.closeFields();
    this.place.close();
    this.weight?.close();
    this.line.close();
    this.drawing.close();
    this.root.close();
    for (const [name, f] of Object.entries(this.listeners)) this.model.off(name, f);
  }
}

export default {render(context) { const view = new NetView(context); return () => view.close(); }};
