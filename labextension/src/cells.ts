/** Cells: whether they speak of this package, what is put into them, and where. */
import { NotebookActions, type NotebookPanel } from '@jupyterlab/notebook';

export const LOAD = '%load_ext alcf_jupyter';

/** Whether a cell's source has to do with this package. */
export function speaksOfUs(source: string): boolean {
  return /\balcf(_|\b)/i.test(source);
}

/** Whether a cell's source loads this package's extension. */
export function loads(source: string): boolean {
  return /^\s*%(re)?load_ext\s+alcf_jupyter\s*$/m.test(source);
}

/**
 * A word as it stands on a magic's line.
 *
 * @returns null for a name that cannot stand there: an option, or one with characters that are not
 * to be seen.
 */
export function word(name: string): string | null {
  if (name === '' || name.startsWith('-') || /[\p{C}\p{Zl}\p{Zp}]/u.test(name)) {
    return null;
  }
  return /^[\w./:@+-]+$/.test(name) ? name : `'${name.replaceAll("'", `'"'"'`)}'`;
}

/** The source of a chat cell with this model; null where its name cannot stand in one. */
export function chatCell(model: string, cluster: string): string | null {
  const name = word(model);
  const place = cluster === '' ? '' : word(cluster);
  if (name === null || place === null) {
    return null;
  }
  return `%%alcf_chat -m ${name}${place === '' ? '' : ` -c ${place}`}\n`;
}

/** What signs in; a kernel that has not loaded the extension loads it first. */
export function signIn(loaded: boolean): string {
  return loaded ? '%alcf login' : `${LOAD}\n%alcf login`;
}

/** What copies the tutorials; it needs no command on the kernel's path. */
export function tutorials(folder: string): string {
  return `%run -m alcf_jupyter.cli tutorials ${folder}`;
}

/** Put a cell below the active one, and the cursor to its end. */
export async function insertBelow(panel: NotebookPanel, source: string): Promise<void> {
  const { content } = panel;
  NotebookActions.insertBelow(content);
  fill(panel, source);
  panel.activate();
  const cell = content.activeCell;
  await cell?.ready;
  const editor = cell?.editor;
  if (editor != null) {
    content.mode = 'edit';
    editor.setCursorPosition(editor.getPositionAt(source.length) ?? { line: 0, column: 0 });
    editor.focus();
  }
}

/** Put a cell below the active one, and run it. */
export async function runBelow(panel: NotebookPanel, source: string): Promise<void> {
  NotebookActions.insertBelow(panel.content);
  fill(panel, source);
  await run(panel);
}

/** Run the cell that loads the extension; where there is none, put one on top. */
export async function runLoad(panel: NotebookPanel): Promise<void> {
  const { content } = panel;
  const at = content.widgets.findIndex(
    ({ model }) => model.type === 'code' && loads(model.sharedModel.getSource())
  );
  content.activeCellIndex = Math.max(at, 0);
  if (at < 0) {
    NotebookActions.insertAbove(content);
    fill(panel, LOAD);
  }
  await run(panel);
}

/** Whether a notebook has a cell that loads the extension. */
export function hasLoad(panel: NotebookPanel): boolean {
  return panel.content.widgets.some(
    ({ model }) => model.type === 'code' && loads(model.sharedModel.getSource())
  );
}

function fill(panel: NotebookPanel, source: string): void {
  panel.content.activeCell?.model.sharedModel.setSource(source);
}

async function run(panel: NotebookPanel): Promise<void> {
  const { content } = panel;
  content.deselectAll();
  const cell = content.activeCell;
  if (cell !== null) {
    void content.scrollToCell(cell);
  }
  await NotebookActions.run(content, panel.sessionContext);
}
