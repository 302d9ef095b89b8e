/** The extension: the panel with its item and commands, and the marking of chat cells. */
import {
  ILabShell,
  ILayoutRestorer,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { IEditorExtensionRegistry, IEditorLanguageRegistry } from '@jupyterlab/codemirror';
import { INotebookTracker } from '@jupyterlab/notebook';
import { IStatusBar } from '@jupyterlab/statusbar';
import { Signal } from '@lumino/signaling';
import { addCommands } from './commands';
import { Controller } from './controller';
import { hello } from './frontend';
import { icon } from './icon';
import { Item } from './item';
import { Links } from './links';
import { marking } from './marking';

const NAME = 'alcf-jupyter';

const panel: JupyterFrontEndPlugin<void> = {
  id: `${NAME}:panel`,
  description: 'Models, runs and batches of the ALCF Inference Endpoints beside the notebook.',
  autoStart: true,
  requires: [INotebookTracker],
  optional: [ILabShell, ILayoutRestorer, IStatusBar, ICommandPalette],
  activate: (
    app: JupyterFrontEnd,
    tracker: INotebookTracker,
    shell: ILabShell | null,
    restorer: ILayoutRestorer | null,
    statusBar: IStatusBar | null,
    palette: ICommandPalette | null
  ) => {
    const links = new Links(tracker, hello(app));
    const open = (): void => {
      if (shell?.leftCollapsed) {
        shell.expandLeft();
      }
      app.shell.activateById(NAME);
    };
    const item = statusBar === null ? null : new Item(open);
    const shown = item === null ? null : new Signal<Item, void>(item);
    const controller = new Controller(links, item, shown);
    const { panel: side } = controller;
    side.id = NAME;
    side.title.icon = icon;
    side.title.caption = 'ALCF: models, runs and batches';
    app.shell.add(side, 'left', { rank: 600, type: 'ALCF' });
    restorer?.add(side, NAME);
    if (item !== null && shown !== null) {
      statusBar?.registerStatusItem(`${NAME}:item`, {
        item,
        align: 'left',
        rank: 600,
        isActive: () => links.current?.standing.is === 'open',
        activeStateChanged: shown
      });
    }
    addCommands(app, tracker, controller, open, palette);
  }
};

const cells: JupyterFrontEndPlugin<void> = {
  id: `${NAME}:cells`,
  description: 'Marks chat cells as Markdown with expressions.',
  autoStart: true,
  requires: [IEditorExtensionRegistry, IEditorLanguageRegistry],
  activate: (
    _: JupyterFrontEnd,
    extensions: IEditorExtensionRegistry,
    languages: IEditorLanguageRegistry
  ) => {
    const instance = marking(languages);
    extensions.addExtension({
      name: `${NAME}:chat-cells`,
      factory: () => ({ instance: () => instance, reconfigure: () => null })
    });
  }
};

export default [panel, cells];
