/** What is known of the selected model, and what can be done with it. */
import { button, el, setText } from '../dom';
import type { Model } from '../messages';
import type { Actions } from './actions';

export class Details {
  constructor(private readonly actions: Actions) {}

  show(model: Model | undefined): void {
    this.node.hidden = model === undefined;
    if (model === undefined) {
      this.shown = '';
      return;
    }
    this.model = model;
    this.chat.disabled = model.can_chat === false;
    this.embed.disabled = model.can_embed === false;
    this.insert.disabled = model.can_chat === false;
    this.warm.disabled = !model.starts;
    // a selection in the text, or a scroll position, outlives a message that changes nothing here
    const shown = JSON.stringify(model);
    if (shown !== this.shown) {
      this.shown = shown;
      setText(this.name, model.id);
      this.facts.replaceChildren(
        ...model.facts.flatMap(([name, value]) => [el('dt', {}, name), el('dd', {}, value)])
      );
    }
  }

  /** Scroll so that its buttons are seen. */
  reveal(): void {
    this.top.scrollIntoView({ block: 'nearest' });
  }

  private do(label: string, hint: string, act: (model: Model) => void): HTMLButtonElement {
    return button(label, hint, () => {
      if (this.model !== null) {
        act(this.model);
      }
    });
  }

  private shown = '';
  private model: Model | null = null;
  private readonly name = el('h3', { class: 'alcf-selected' });
  private readonly facts = el('dl', { class: 'alcf-facts' });
  private readonly chat = this.do('Use for chat', 'Make it the model of chat cells', model =>
    this.actions.use('chat', model)
  );
  private readonly embed = this.do(
    'Use for embeddings',
    'Make it the model of embed cells',
    model => this.actions.use('embed', model)
  );
  private readonly warm = this.do('Warm it up', 'Ask the service to start it', model =>
    this.actions.warm(model)
  );
  private readonly insert = this.do(
    'Insert chat cell',
    'A cell below the active one, with this model',
    model => this.actions.insert(model)
  );
  private readonly top = el(
    'div',
    {},
    this.name,
    el('div', { class: 'alcf-buttons' }, this.chat, this.insert, this.embed, this.warm)
  );
  readonly node = el(
    'section',
    { class: 'alcf-details', 'aria-label': 'Selected model' },
    this.top,
    this.facts
  );
}
