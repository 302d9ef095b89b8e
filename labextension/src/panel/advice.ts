/** What happened, why, and a line to type that can be copied. */
import { button, el, setText } from '../dom';

export class Advice {
  show(what: string, why = '', line = ''): void {
    setText(this.what, what);
    setText(this.why, why);
    setText(this.line, line);
    this.why.hidden = why === '';
    this.next.hidden = line === '';
  }

  private copy(): void {
    void copy(this.line.textContent).then(() => {
      setText(this.button, 'Copied');
      setTimeout(() => setText(this.button, 'Copy'), 1500);
    });
  }

  private readonly what = el('p', { class: 'alcf-what' });
  private readonly why = el('p', { class: 'alcf-why' });
  private readonly line = el('code');
  private readonly button = button('Copy', 'Copy this line', () => this.copy());
  private readonly next = el('div', { class: 'alcf-next' }, this.line, this.button);
  readonly nodes = [this.what, this.why, this.next];
}

/** Copy text; where the page is served without TLS there is only the older way. */
async function copy(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const field = el('textarea', { class: 'alcf-hidden' });
    field.value = text;
    document.body.append(field);
    field.select();
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- for want of another
    document.execCommand('copy');
    field.remove();
  }
}
