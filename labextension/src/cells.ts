/** Cells put into a notebook, and run. */
import { NotebookActions, type NotebookPanel } from '@jupyterlab/notebook';
import { LOAD, loads } from './magics';

const SETTLING = 25;

/** Put a cell below the active one, and the cursor to its end. */
export async function insertBelow(panel: NotebookPanel, source: string): Promise<void> {
  const { content } = panel;
  NotebookActions.insertBelow(content);
  fill(panel, source);
  const cell = content.activeCell;
  await cell?.ready;
  const editor = cell?.editor;
  if (editor == null) {
    return;
  }
  editor.setCursorPosition(editor.getPositionAt(source.length) ?? { line: 0, column: 0 });
  editor.focus();
  // JupyterLab itself focuses the notebook or the cell some time after an insertion, and what is
  // typed there are commands: `dd` deletes the cell
  for (let left = SETTLING; left > 0 && content.activeCell === cell; left -= 1) {
    if (content.node.contains(document.activeElement) && !editor.hasFocus()) {
      editor.focus();
    }
    await new Promise(resolve => setTimeout(resolve, 20));
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

/** Give the active cell, which was inserted empty, its source. */
function fill({ content }: NotebookPanel, source: string): void {
  if (content.activeCell?.model.type !== 'code') {
    // people may have set that new cells hold Markdown
    NotebookActions.changeCellType(content, 'code');
  }
  content.activeCell?.model.sharedModel.setSource(source);
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
