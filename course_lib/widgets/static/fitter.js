// A function with sliders over data: QuadraticFitter and FunctionFitter. The object behind it is course_lib.maths.fit.Fit.

/** Functions that the browser can draw itself; any other is asked of Python. */
const KNOWN = {quad: v => x => (v.a*x + v.b)*x + v.c};

const LOSSES = {
  mse: (f, xs, ys) => xs.reduce((sum, x, i) => sum + (f(x) - ys[i])**2, 0)/xs.length,
  mae: (f, xs, ys) => xs.reduce((sum, x, i) => sum + Math.abs(f(x) - ys[i]), 0)/xs.length,
};

class FitterView {
  constructor({model, el: holder}) {
    Object.assign(this, {model, dragging: false, frames: null});
    this.values = {...this.state.values};
    this.root = makeRoot({model, el: holder}, {
      label: this.state.label, hint: 'Keys: S step, Space play, Ctrl+Z undo, Ctrl+Y redo, R reset; on a slider the arrows and Page keys',
      keys: {s: () => this.step(), ' ': () => this.play(), r: () => this.do('reset'), 'Ctrl+z': () => this.do('undo'),
             'Ctrl+y': () => this.do('redo'), 'Ctrl+Shift+z': () => this.do('redo')}});
    this.line = new Line(model, busy => this.root.warn(busy ? BUSY : this.state.message));
    this.build();
    this.listeners = {'change:state': () => this.heard(), 'change:background': () => this.background(), 'change:rested': () => this.exact()};
    for (const [name, f] of Object.entries(this.listeners)) model.on(name, f);
    this.background();
    this.heard();
    this.exact();
  }
  get state() { return this.model.get('state'); }
  get known() { return KNOWN[this.state.kind] && LOSSES[this.state.loss_name] ? KNOWN[this.state.kind] : null; }

  build() {
    this.plot = new Plot(this.state.alt);
    this.plot.painter = ctx => this.paint(ctx);
    this.sliders = this.state.names.map(n => slider(n, {...this.range(n), value: this.values[n]},
      v => this.moved(n, v), () => this.settled()));
    this.loss = el('span', {class: 'cw-figure'});
    this.best = el('span', {class: 'cw-note'});
    this.undo = button('↶ Undo', () => this.do('undo'), {title: 'Ctrl+Z'});
    this.redo = button('↷ Redo', () => this.do('redo'), {title: 'Ctrl+Y'});
    this.toBest = button('★ Best', () => this.do('best'), {title: 'back to the lowest loss so far'});
    this.lr = numberBox('learning rate', this.state.lr, v => this.line.send('rate', {lr: v}), {title: 'the size of a gradient step'});
    this.playing = player(1, i => this.frame(i), {fps: 30});
    this.playButton = button('▶ Play', () => this.play(), {title: 'space: follow the gradient to the end'});
    this.hints = toggle('hints', true, () => this.numbers());
    this.errors = toggle('errors', this.state.errors, on => this.line.send('errors', {on}));
    this.rate = el('div', {class: 'cw-note cw-steady'});
    this.race = el('div', {class: 'cw-note'});
    this.chart = new Chart('loss after each move', {width: 560, height: 120, xlabel: 'moves', ylabel: 'loss', log: true});
    this.code = codeBox(this.line);
    const panel = el('div', {class: 'cw-panel'},
      el('div', {class: 'cw-row'}, el('span', {}, this.state.loss_words), this.loss, this.best),
      el('div', {}, ...this.sliders.map(s => s.node)),
      el('div', {class: 'cw-row'}, this.undo, this.redo, this.toBest, button('Reset', () => this.do('reset'), {title: 'R: back to the same start'})),
      el('div', {class: 'cw-row'}, button('Step', () => this.step(), {title: 'S: one gradient step', kind: 'cw-main'}), this.playButton, this.lr),
      this.rate, el('div', {class: 'cw-row'}, this.hints, this.errors));
    const trail = el('div', {class: 'cw-columns'},
      el('div', {class: 'cw-wide'}, this.chart.node, legend([{name: 'all your moves', colour: 'var(--c-curve)'},
        {name: 'gradient descent from the same start', colour: 'var(--c-descent)', dash: true}])),
      el('div', {class: 'cw-panel'}, this.race, this.code.node));
    this.root.body(el('div', {class: 'cw-columns'}, el('div', {class: 'cw-wide'}, this.plot.node), panel), trail);
  }
  range(name) { const [lo, hi] = this.state.ranges[name]; return {lo, hi}; }

  // What the hand does
  moved(name, value) {
    this.stop();
    this.played = null;
    this.values = {...this.values, [name]: value};
    this.dragging = true;
    this.plot.move();
    if (!this.known) return this.line.latest('drag', {values: this.values});
    this.numbers();
    if (performance.now() - (this.told || 0) > 100) {  // Python need not hear every place
      this.told = performance.now();
      this.line.latest('drag', {values: this.values});
    }
  }
  settled() { this.dragging = false; this.line.send('move', {values: this.values}); }
  /** Before anything else happens: what plays stops where it is, and a key move that is under way is made. */
  halt() { this.sliders.forEach(s => s.flush()); this.stop(); this.played = null; }
  do(what) { this.halt(); this.line.send(what); }
  step() { this.halt(); this.line.send('step', {lr: this.lr.entered()}); }

  // Descent, played from frames that Python has computed
  play() {
    if (this.playing.playing) return this.stop();
    this.halt();
    this.asked = this.line.send('play', {lr: this.lr.entered()});
  }
  start(frames) {
    this.frames = frames;
    this.playButton.textContent = '‖ Pause';
    this.playing.set(frames.losses.length);
    this.playing.play();
    if (!this.playing.playing) this.stop();
  }
  frame(i) {
    if (!this.frames) return;
    this.frames.names.forEach((n, k) => { this.values[n] = this.frames.params[i][k]; });
    this.sliders.forEach(s => s.set(this.values[s.name]));
    this.curve = this.frames.curves ? this.frames.curves[i] : null;
    this.loss.textContent = fmt(this.frames.losses[i]);
    this.played = this.frames.losses.slice(0, i + 1);
    this.descent();
    this.plot.move();
    if (this.playing.playing && i === this.frames.losses.length - 1) this.stop();
  }
  stop() {
    this.asked = null;  // frames that are still to come are not wanted any more
    if (!this.frames) return;
    const at = this.playing.i;
    this.playing.pause();
    this.frames = null;
    this.playButton.textContent = '▶ Play';
    this.line.send('land', {frame: at});
  }

  // What Python says
  heard() {
    const s = this.state;
    if (s.frames && s.ack === this.asked) { this.asked = null; this.start(s.frames); }
    if (this.frames) return;
    if (!this.dragging && this.line.idle) {
      this.values = {...s.values};
      this.sliders.forEach(t => t.set(s.values[t.name], ...s.ranges[t.name]));
      this.root.say(`loss ${fmt(s.loss)}`);
      this.plot.canvas.setAttribute('aria-label', s.alt);
    }
    this.curve = s.curve;
    this.lr.set(s.lr);
    this.undo.disabled = !s.can_undo;
    this.redo.disabled = !s.can_redo;
    this.errors.box.checked = s.errors;
    this.root.warn(s.message);
    this.code.show(s.code);
    this.numbers();
    this.trail();
    const at = JSON.stringify([s.values, s.errors]);
    if (at !== this.at) this.plot.move();  // else matplotlib's picture may stay
    this.at = at;
  }
  background() { this.plot.background(this.model.get('background'), this.state.size, this.state.axes); }
  exact() { this.plot.exact(this.model.get('exact'), () => !this.dragging && !this.frames && this.line.idle); }

  // What the eye sees
  numbers() {
    const s = this.state, f = this.known && this.known(this.values);
    const loss = v => LOSSES[s.loss_name](this.known(v), s.data.x, s.data.y);
    const now = f ? loss(this.values) : s.loss;
    this.loss.textContent = fmt(now);
    this.loss.dataset.value = now;
    for (const t of this.sliders) {
      const h = 1e-4*(t.hi - t.lo), step = (t.hi - t.lo)/100, at = d => loss({...this.values, [t.name]: this.values[t.name] + d});
      const slope = !this.hints.box.checked ? null : f ? (at(h) - at(-h))/(2*h) : s.slopes[t.name];
      t.hint(slope, f ? now - at(-Math.sign(slope)*step) : s.gains[t.name], step);
    }
    this.plot.draw();
  }
  /** The losses of a play in place of those of the moves; they stay until the next move. */
  descent() {
    this.chart.xlabel = 'gradient steps';
    this.chart.set([{ys: this.played, colour: this.state.colours.descent, dash: [5, 3]}], {words: `while descending, now ${fmt(this.played.at(-1))}`});
  }
  trail() {
    const s = this.state, c = s.colours;
    setText(this.best, s.best ? `best ${fmt(s.best.loss)}` : '');
    this.toBest.disabled = !s.best || s.loss === s.best.loss;
    setText(this.rate, s.rate_words);
    setText(this.race, s.race_words);
    if (this.played) return this.descent();
    this.chart.xlabel = 'moves';
    this.chart.set([{ys: s.race.descent, colour: c.descent, dash: [5, 3]}, {ys: s.trail, colour: c.curve, marks: s.trail.length < 40, best: lowest(s.trail)}], {words: s.race_words});
  }
  paint(ctx) {
    const s = this.state, c = s.colours, f = this.known && this.known(this.values);
    if (s.errors) for (const [i, x] of s.data.x.entries()) {
      const at = f ? f(x) : s.preds[i];
      if (at !== null && !this.frames?.curves) this.plot.line(ctx, [x, x], [s.data.y[i], at], {colour: c.errors, width: 1});
    }
    if (f) this.plot.curve(ctx, f, {colour: c.curve, width: 2.5});
    else if (this.curve) this.plot.line(ctx, s.xs, this.curve, {colour: c.curve, width: 2.5});
  }
  close() {
    this.line.close();
    this.root.close();
    this.plot.close();
    this.playing.close();
    this.sliders.forEach(s => s.close());
    for (const [name, f] of Object.entries(this.listeners)) this.model.off(name, f);
  }
}

export default {render(context) { const view = new FitterView(context); return () => view.close(); }};
