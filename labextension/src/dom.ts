/** Small helps for plain DOM. Text is only ever set as text. */

type Attributes = Record<string, string | boolean>;

/** Make an element; an attribute that is false is left out. */
export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false) {
      node.setAttribute(name, value === true ? '' : value);
    }
  }
  node.append(...children);
  return node;
}

/** Make a button. */
export function button(label: string, hint: string, act: () => void): HTMLButtonElement {
  const made = el('button', { type: 'button', class: 'alcf-button', title: hint }, label);
  made.addEventListener('click', act);
  return made;
}

/** The first button in a node that is shown. */
export function firstButton(node: Element | null): HTMLElement | null {
  return node?.querySelector<HTMLElement>('button:not([hidden])') ?? null;
}

/** Set a node's text, if it is another. */
export function setText(node: Node, text: string): void {
  if (node.textContent !== text) {
    node.textContent = text;
  }
}

/** Set an attribute, if it is another. */
export function set(node: Element, name: string, value: string): void {
  if (node.getAttribute(name) !== value) {
    node.setAttribute(name, value);
  }
}

/** Children that stay the same elements while what they show changes. */
export class Keyed<T, N extends HTMLElement> {
  /**
   * @param parent Whose children they are.
   * @param key What an item is known by.
   * @param make Makes the element of a new item.
   * @param fill Shows an item in its element; called for every item each time.
   * @param rest What has the focus when it was in an item that goes, and no button is left.
   */
  constructor(
    private readonly parent: HTMLElement,
    private readonly key: (item: T) => string,
    private readonly make: (item: T) => N,
    private readonly fill: (node: N, item: T) => void,
    private readonly rest?: HTMLElement
  ) {}

  /** Show these items in this order; of two with the same key the first one. */
  show(items: readonly T[]): void {
    const shown = new Map<string, T>();
    for (const item of items) {
      const key = this.key(item);
      if (!shown.has(key)) {
        shown.set(key, item);
      }
    }
    // first of all: what stays need not be moved then, which would take the focus from it
    let left: N | null = null;
    for (const [key, node] of this.nodes) {
      if (!shown.has(key)) {
        this.nodes.delete(key);
        if (node.contains(document.activeElement)) {
          left = node;
        } else {
          node.remove();
        }
      }
    }
    const at = left === null ? -1 : Array.from(this.parent.children).indexOf(left);
    left?.remove();
    let place = this.parent.firstElementChild;
    for (const [key, item] of shown) {
      const node = this.nodes.get(key) ?? this.make(item);
      this.nodes.set(key, node);
      this.fill(node, item);
      if (node === place) {
        place = place.nextElementSibling;
      } else {
        this.parent.insertBefore(node, place);
      }
    }
    if (at >= 0) {
      const { children, lastElementChild } = this.parent;
      (firstButton(children[at] ?? lastElementChild) ?? this.rest)?.focus();
    }
  }

  /** The element of an item. */
  get(key: string): N | undefined {
    return this.nodes.get(key);
  }

  private readonly nodes = new Map<string, N>();
}
