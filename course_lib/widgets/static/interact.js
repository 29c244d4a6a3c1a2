// Controls over the picture that the learner's own function draws: interact_plot. The object behind it is PlotCall.

/** The picture and what was printed. */
class InteractPicture {
  /** How many pixels of the screen lie on one of the picture's: as sharp as can be seen, and no sharper. */
  sharpness() {
    const size = this.state.size, width = this.canvas.clientWidth;
    return size && width ? Math.min(3, Math.max(1, Math.ceil(devicePixelRatio*Math.min(1, width/size[0]) - .01))) : 1;
  }
  /** Printed text keeps the room that it once took, so that nothing below jumps. */
  print(text) {
    if (this.text.textContent === text) return;
    this.text.textContent = text;
    this.text.hidden = !text && !this.text.style.minHeight;
    const tall = Math.min(this.text.offsetHeight, 200);
    if (tall > parseFloat(this.text.style.minHeight || 0)) this.text.style.minHeight = `${tall}px`;
  }
  /** Put a picture in place of the last; one that was overtaken on its way is dropped. */
  async picture(bytes, size) {
    this.canvas.hidden = !size;
    if (!size || !bytes.byteLength || bytes === this.last) return;  // the same picture once more
    this.last = bytes;
    const turn = ++this.newest;
    let image;
    try { image = await createImageBitmap(new Blob([bytes], {type: 'image/png'})); } catch { return; }
    if (turn > this.shown) { this.shown = turn; this.put(image, size); }
    image.close();
  }
  put(image, size) {
    const {canvas} = this;
    if (canvas.width !== image.width || canvas.height !== image.height) Object.assign(canvas, {width: image.width, height: image.height});
    if (canvas.style.width !== `${size[0]}px`) canvas.style.width = `${size[0]}px`;
    const ctx = canvas.getContext('2d');
    ctx.clearRect(0, 0, canvas.width, canvas.height);
    ctx.drawImage(image, 0, 0);
    if (!this.seen) this.sharpen();
  }
  /** The first picture was drawn before anybody knew how fine the screen is. */
  sharpen() {
    this.seen = true;
    if (this.sharpness() > 1) this.line.send('move', {values: {}, scale: this.sharpness()});
  }
}

/** The controls, and what the hand does. */
class InteractControls extends InteractPicture {
  build() {
    this.canvas = el('canvas', {class: 'cw-result', role: 'img', width: 0, height: 0});
    this.text = el('pre', {class: 'cw-printed', 'aria-label': 'what was printed'});
    this.controls = this.state.controls.map(c => this.control(c));
    this.code = codeBox(this.line);
    this.root.body(el('div', {class: 'cw-controls'}, ...this.controls.map(c => c.node)), this.canvas, this.text,
      el('div', {class: 'cw-row'}, button('Reset', () => this.ask('reset'), {title: 'R: back to the start'}),
        button('Draw again', () => this.ask('again'), {title: 'A: call the function again with the same values'}), this.code.node));
  }
  /** One control: its node, `set(value)` for a value that came from elsewhere, and `close()` where a timer may run. */
  control(c) {
    const now = v => { this.moved(c.name, v); this.settled(); };
    if (c.kind === 'slider') {
      const s = slider(c.name, {...c, step: c.step}, v => this.moved(c.name, v), () => this.settled());
      return {name: c.name, node: s.node, set: v => s.set(v, c.lo, c.hi), close: () => clearTimeout(s.timer)};
    }
    if (c.kind === 'toggle') {
      const t = toggle(c.label, c.value, now);
      return {name: c.name, node: t, set: v => { t.box.checked = v; }};
    }
    if (c.kind === 'choice') {
      const t = choice(c.label, c.names.map((n, i) => [i, n]), c.value, v => now(Number(v)));
      return {name: c.name, node: t, set: v => { t.box.value = v; }};
    }
    if (c.kind === 'number') {
      const t = numberBox(c.label, c.value, now);
      return {name: c.name, node: t, set: v => t.set(v)};
    }
    const box = el('input', {type: 'text', class: 'cw-text', 'aria-label': c.label});
    box.value = c.value;
    box.addEventListener('input', () => this.moved(c.name, box.value));
    box.addEventListener('change', () => this.settled());
    return {name: c.name, node: el('label', {class: 'cw-field'}, c.label, box),
            set: v => { if (document.activeElement !== box) box.value = v; }};
  }
  moved(name, value) {
    this.values = {...this.values, [name]: value};
    this.dragging = true;
    this.line.latest('drag', {values: this.values});
  }
  settled() {
    this.dragging = false;
    this.line.send('drag', {values: this.values});  // at once; what takes longer comes after it
    this.line.send('move', {values: this.values, scale: this.sharpness()});
  }
  ask(what) { this.line.send(what, {scale: this.sharpness()}); }
}

/** The whole view, and what Python says. */
class InteractView extends InteractControls {
  constructor({model, el: holder}) {
    super();
    Object.assign(this, {model, dragging: false, shown: 0, newest: 0});
    this.values = {...this.state.values};
    this.root = makeRoot({model, el: holder}, {
      label: `${this.state.name} with its arguments`, hint: 'Keys: on a slider the arrows and Page keys; R back to the start; A draw again',
      keys: {r: () => this.ask('reset'), a: () => this.ask('again')}});
    this.line = new Line(model, busy => this.root.warn(busy ? BUSY : this.message));
    this.build();
    this.listen = () => this.heard();
    model.on('change:state', this.listen);
    this.heard();
  }
  get state() { return this.model.get('state'); }
  get message() { return this.state.error || this.state.message; }
  heard() {
    const s = this.state;
    if (!this.dragging && this.line.idle) {
      this.values = {...s.values};
      this.controls.forEach(c => c.set(s.values[c.name]));
      if (this.canvas.getAttribute('aria-label') !== s.alt) this.root.say(s.alt);
      this.canvas.setAttribute('aria-label', s.alt);
    }
    this.root.warn(this.message);
    this.print(s.text);
    this.code.show(s.code);
    this.picture(this.model.get('exact'), s.size);
  }
  close() {
    this.shown = Infinity;  // a picture still on its way is not drawn
    for (const c of this.controls) c.close?.();
    this.line.close();
    this.root.close();
    this.model.off('change:state', this.listen);
  }
}

export default {render(context) { const view = new InteractView(context); return () => view.close(); }};
