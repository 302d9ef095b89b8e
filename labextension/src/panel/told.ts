/** What came of the last click, and errors: what, why, and a line to type that can be copied. */
import { button, el, setText } from '../dom';
import type { Reply } from '../messages';

export class Told {
  constructor() {
    this.clear();
  }

  /** Show an answer; an empty one takes away what was there. */
  show({ said, error }: Reply): void {
    this.node.classList.toggle('alcf-mod-error', error !== null);
    setText(this.what, error === null ? said : error.what);
    setText(this.why, error?.why ?? '');
    setText(this.line, error?.do ?? '');
    this.why.hidden = !error?.why;
    this.next.hidden = !error?.do;
    this.node.hidden = this.what.textContent === '';
  }

  clear(): void {
    this.show({ type: 'reply', to: null, said: '', error: null });
  }

  private readonly what = el('p', { class: 'alcf-what' });
  private readonly why = el('p', { class: 'alcf-why' });
  private readonly line = el('code');
  private readonly next = el(
    'div',
    { class: 'alcf-next' },
    this.line,
    copyButton(() => this.line.textContent)
  );
  readonly node = el(
    'div',
    { class: 'alcf-told' },
    el('div', { role: 'status', 'aria-live': 'polite' }, this.what, this.why, this.next),
    button('✕', 'Take this away', () => this.clear())
  );
}

/** A button that copies a line. */
export function copyButton(line: () => string): HTMLButtonElement {
  const made = button('Copy', 'Copy this line', () => {
    void copy(line()).then(() => {
      setText(made, 'Copied');
      setTimeout(() => setText(made, 'Copy'), 1500);
    });
  });
  return made;
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
