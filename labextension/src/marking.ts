/** Chat cells: their text as Markdown, the magic's line and `{{expressions}}` marked. */
import { Compartment, type Extension, Prec, RangeSetBuilder } from '@codemirror/state';
import {
  Decoration,
  type DecorationSet,
  EditorView,
  ViewPlugin,
  type ViewUpdate
} from '@codemirror/view';
import type { IEditorLanguageRegistry } from '@jupyterlab/codemirror';

/** What is marked in a cell: the length of the magic's line, and where expressions are. */
export interface Marks {
  line: number;
  expressions: [from: number, to: number][];
}

const MAGIC = /^%%alcf_chat(?=\s|$)[^\n]*/;
/** `\{{` is a literal. An expression has no braces of its own beyond one pair in another. */
const EXPRESSION = /\\\{\{|\{\{((?:[^{}]|\{[^{}]*\})+)\}\}/g;

/** What to mark in a cell's text; null in a cell that is no chat cell. */
export function marksOf(text: string): Marks | null {
  const magic = MAGIC.exec(text)?.[0];
  if (magic === undefined) {
    return null;
  }
  const expressions: Marks['expressions'] = [];
  if (!/\s--no-vars(\s|$)/.test(magic)) {
    for (const { index, 0: found, 1: inner } of text.matchAll(EXPRESSION)) {
      if (inner !== undefined && index >= magic.length) {
        expressions.push([index, index + found.length]);
      }
    }
  }
  return { line: magic.length, expressions };
}

const magicLine = Decoration.mark({ class: 'alcf-magic' });
const expression = Decoration.mark({ class: 'alcf-expression' });

function decorations(view: EditorView): DecorationSet {
  const { doc } = view.state;
  // most cells are none of ours, and are not read
  const marks = doc.sliceString(0, 11) === '%%alcf_chat' ? marksOf(doc.toString()) : null;
  const made = new RangeSetBuilder<Decoration>();
  if (marks !== null) {
    made.add(0, marks.line, magicLine);
    marks.expressions.forEach(([from, to]) => made.add(from, to, expression));
  }
  return made.finish();
}

/** The extension of an editor; in what is no chat cell it does nothing. */
export function marking(languages: IEditorLanguageRegistry): Extension {
  const language = new Compartment();
  let markdown: Promise<Extension> | null = null;

  /**
   * Chat cells are read as Markdown, whatever language the notebook has, and their lines wrap: a
   * prompt is prose.
   */
  const reading = ViewPlugin.define(view => {
    let chat = false;
    let gone = false;
    const heed = (): void => {
      const is = marksOf(view.state.doc.line(1).text) !== null;
      if (is === chat) {
        return;
      }
      chat = is;
      markdown ??= languages
        .getLanguage('ipythongfm')
        .then(found => found?.support ?? [])
        .catch(() => []);
      void markdown.then(support => {
        if (!gone && chat === is) {
          const prose = is ? [support, EditorView.lineWrapping] : [];
          view.dispatch({ effects: language.reconfigure(prose) });
        }
      });
    };
    heed();
    return {
      update: ({ docChanged }: ViewUpdate) => docChanged && heed(),
      destroy: () => (gone = true)
    };
  });

  const marks = ViewPlugin.define(
    view => ({
      shown: decorations(view),
      update({ docChanged, view: now }: ViewUpdate) {
        if (docChanged) {
          this.shown = decorations(now);
        }
      }
    }),
    { decorations: ({ shown }) => shown }
  );
  return [Prec.highest(language.of([])), reading, marks];
}
