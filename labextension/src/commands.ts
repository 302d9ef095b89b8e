/** The commands of the palette. */
import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { ICommandPalette } from '@jupyterlab/apputils';
import type { INotebookTracker } from '@jupyterlab/notebook';
import * as cells from './cells';
import type { Controller } from './controller';
import { icon } from './icon';
import * as magics from './magics';

const CATEGORY = 'ALCF';
const TUTORIALS = 'alcf-tutorials';

export const OPEN = 'alcf-jupyter:open';

/** Add them, and list them in the palette where there is one. */
export function addCommands(
  app: JupyterFrontEnd,
  tracker: INotebookTracker,
  controller: Controller,
  open: () => void,
  palette: ICommandPalette | null
): void {
  const inNotebook = (): boolean => tracker.currentWidget !== null;
  const { commands } = app;
  commands.addCommand(OPEN, {
    label: 'ALCF: models, runs and batches',
    caption: 'Open the panel of the ALCF Inference Endpoints',
    icon,
    execute: open
  });
  commands.addCommand('alcf-jupyter:sign-in', {
    label: 'ALCF: sign in',
    caption: 'Insert a cell that signs in below the active one, and run it',
    isEnabled: inNotebook,
    execute: () => controller.actions.signIn()
  });
  commands.addCommand('alcf-jupyter:insert-chat', {
    label: 'ALCF: insert chat cell',
    caption: 'Insert a cell for a prompt below the active one',
    isEnabled: inNotebook,
    execute: () => controller.insert()
  });
  commands.addCommand('alcf-jupyter:tutorials', {
    label: 'ALCF: open the tutorials',
    caption: 'Copy them beside this notebook, with a cell that shows how, and show the folder',
    isEnabled: inNotebook,
    execute: () => openTutorials(app, tracker)
  });
  for (const command of commands.listCommands().filter(id => id.startsWith('alcf-jupyter:'))) {
    palette?.addItem({ command, category: CATEGORY });
  }
}

/** Show the folder of the tutorials beside the notebook; copy them first if they are not there. */
async function openTutorials(app: JupyterFrontEnd, tracker: INotebookTracker): Promise<void> {
  const panel = tracker.currentWidget;
  if (panel === null) {
    return;
  }
  const { contents } = app.serviceManager;
  const path = panel.context.path.split('/').slice(0, -1).concat(TUTORIALS).join('/');
  const there = (): Promise<boolean> =>
    contents.get(path, { content: false }).then(
      () => true,
      () => false
    );
  if (!(await there())) {
    await cells.runBelow(panel, magics.tutorials(TUTORIALS));
  }
  if (await there()) {
    await app.commands.execute('filebrowser:open-path', { path });
  }
}
