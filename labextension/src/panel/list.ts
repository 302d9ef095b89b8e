/** The list of models: one is selected, with the mouse or the arrow keys. */
import { el, Keyed, set, setText } from '../dom';
import type { Model } from '../messages';
import { keyOf } from './filters';

const PAGE = 10;

interface Row {
  name: HTMLElement;
  state: HTMLElement;
  rest: HTMLElement;
  used: HTMLElement;
}

/** Which models chat and embed cells use. */
export interface Used {
  chat: string;
  embed: string;
}

export class ModelList {
  /** @param picked Called when another model is selected. */
  constructor(private readonly picked: (key: string) => void) {
    this.node.addEventListener('click', event => this.onClick(event));
    this.node.addEventListener('keydown', event => this.onKey(event));
  }

  /** Show these models, and mark the one that is selected. */
  show(models: readonly Model[], selected: string | null, used: Used): void {
    this.used = used;
    this.selected = selected;
    this.rows.show(models);
    const active = selected === null ? undefined : this.rows.get(selected);
    set(this.node, 'aria-activedescendant', active?.id ?? '');
  }

  /** Scroll so that the selected model is seen. */
  reveal(): void {
    if (this.selected !== null) {
      this.rows.get(this.selected)?.scrollIntoView({ block: 'nearest' });
    }
  }

  private make(model: Model): HTMLElement {
    const row: Row = {
      name: el('span', { class: 'alcf-name' }),
      state: el('span', { class: 'alcf-state' }),
      rest: el('span', { class: 'alcf-rest' }),
      used: el('span', { class: 'alcf-used' })
    };
    const node = el(
      'li',
      { role: 'option', id: `alcf-model-${++this.made}`, class: 'alcf-model' },
      el('div', { class: 'alcf-line' }, row.name, row.used),
      el('div', { class: 'alcf-line alcf-below' }, row.state, row.rest)
    );
    node.dataset.key = keyOf(model);
    this.parts.set(node, row);
    return node;
  }

  private fill(node: HTMLElement, model: Model): void {
    const row = this.parts.get(node);
    if (row === undefined) {
      return;
    }
    setText(row.name, model.id);
    setText(row.state, model.state);
    set(row.state, 'data-state', model.state);
    const rest = [model.cluster, model.note].filter(Boolean).join(' · ');
    setText(row.rest, rest);
    const used = [
      model.id === this.used.chat ? 'chat' : '',
      model.id === this.used.embed ? 'embed' : ''
    ];
    setText(row.used, used.filter(Boolean).join(', '));
    const whole = [`${model.id} @ ${model.cluster}`, model.note];
    set(node, 'title', whole.filter(Boolean).join('\n'));
    set(node, 'aria-selected', String(node.dataset.key === this.selected));
  }

  private onClick(event: MouseEvent): void {
    const row = (event.target as Element).closest<HTMLElement>('[role="option"]');
    if (row?.dataset.key !== undefined) {
      this.picked(row.dataset.key);
    }
  }

  private onKey(event: KeyboardEvent): void {
    const rows = Array.from(this.node.children) as HTMLElement[];
    const at = rows.findIndex(row => row.dataset.key === this.selected);
    const to = target(event.key, at, rows.length);
    if (to === null || event.ctrlKey || event.metaKey || event.altKey) {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    const key = rows[to]?.dataset.key;
    if (key !== undefined) {
      this.picked(key);
      this.reveal();
    }
  }

  private made = 0;
  private selected: string | null = null;
  private used: Used = { chat: '', embed: '' };
  readonly node = el('ul', {
    role: 'listbox',
    tabindex: '0',
    class: 'alcf-list',
    'aria-label': 'Models'
  });
  private readonly parts = new WeakMap<HTMLElement, Row>();
  private readonly rows = new Keyed<Model, HTMLElement>(
    this.node,
    keyOf,
    model => this.make(model),
    (node, model) => this.fill(node, model)
  );
}

/** Where a key leads to from a row; null where it leads nowhere. */
function target(key: string, at: number, length: number): number | null {
  const last = length - 1;
  const moves: Record<string, number> = {
    ArrowDown: at + 1,
    ArrowUp: at - 1,
    PageDown: at + PAGE,
    PageUp: at - PAGE,
    Home: 0,
    End: last
  };
  const to = moves[key];
  return to === undefined || length === 0 ? null : Math.min(Math.max(to, 0), last);
}
