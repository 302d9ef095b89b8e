/** Cells put into a notebook, and run. */
import { type Notebook, NotebookActions, type NotebookPanel } from '@jupyterlab/notebook';
import { LOAD, loads } from './magics';

/** Put a cell below the active one, and the cursor to its end. */
export async function insertBelow(panel: NotebookPanel, source: string): Promise<void> {
  const { content } = panel;
  insert(content, content.activeCellIndex + 1, source);
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
  insert(panel.content, panel.content.activeCellIndex + 1, source);
  await run(panel);
}

/** Run the cell that loads the extension; where there is none, put one on top. */
export async function runLoad(panel: NotebookPanel): Promise<void> {
  const { content } = panel;
  const at = content.widgets.findIndex(
    ({ model }) => model.type === 'code' && loads(model.sharedModel.getSource())
  );
  if (at < 0) {
    insert(content, 0, LOAD);
  } else {
    content.activeCellIndex = at;
  }
  await run(panel);
}

/** Whether a notebook has a cell that loads the extension. */
export function hasLoad(panel: NotebookPanel): boolean {
  return panel.content.widgets.some(
    ({ model }) => model.type === 'code' && loads(model.sharedModel.getSource())
  );
}

/**
 * Put a code cell at a place, and make it the active one.
 *
 * Not with JupyterLab's action: that takes the focus to the notebook some time later, where what is
 * typed are commands (`dd` deletes the cell), and makes a Markdown cell where people have set so.
 */
function insert(content: Notebook, index: number, source: string): void {
  content.model?.sharedModel.insertCell(index, {
    cell_type: 'code',
    metadata: { trusted: true },
    source
  });
  content.activeCellIndex = index;
  content.deselectAll();
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
