/** A tab as GraphiQL keeps it in the local storage of the browser. */
export interface SavedTab {
  id: string;
  title: string;
  query: string | null;
  variables: string | null;
  headers: string | null;
  operationName: string | null;
  response: null;
}

interface SavedTabs {
  tabs: SavedTab[];
  activeTabIndex: number;
}

type Headers = Record<string, string>;

interface Request {
  operationName?: string;
  extensions?: { headers?: Headers };
}

/** The part of Monaco's interface that `selectOperation` uses. GraphiQL has it in a global variable. */
interface Monaco {
  editor: {
    getEditors(): {
      getModel(): {
        uri: { path: string };
        findMatches(text: string, ...options: unknown[]): { range: { endLineNumber: number; endColumn: number } }[];
      } | null;
      setPosition(position: { lineNumber: number; column: number }): void;
      revealLineInCenterIfOutsideViewport(line: number): void;
    }[];
  };
}

// These functions run in the browser: the page contains their text. They can use each other and the browser only, and must
// stay in one file: an imported function would have another name in the text.

/** The tabs of the last visit, or `presets` on the first. Headers, which may contain a key, are dropped. */
function savedTabs(presets: SavedTab[]): SavedTabs {
  // Earlier versions of the page kept the last headers there.
  localStorage.removeItem('graphiql:headers');
  let saved: SavedTabs | null = null;
  try {
    saved = JSON.parse(localStorage.getItem('graphiql:tabState') ?? 'null');
  } catch {}
  if (!saved?.tabs?.length) return { tabs: presets, activeTabIndex: 0 };
  const activeTabIndex = saved.tabs[saved.activeTabIndex] ? saved.activeTabIndex : 0;
  return { tabs: saved.tabs.map((tab) => ({ ...tab, headers: null })), activeTabIndex };
}

/** Opens the operation in the address (`query`, `variables`, `operationName`) in the tab that has it, or in a new one. */
function openLink(state: SavedTabs): void {
  const { searchParams, pathname } = new URL(location.href);
  const query = searchParams.get('query');
  if (!query) return;
  const variables = searchParams.get('variables');
  const isSame = (tab: SavedTab) => tab.query === query && (tab.variables ?? '') === (variables ?? '');
  let index = state.tabs.findLastIndex(isSame);
  if (index < 0) {
    const title = /^[^#\n]*\b(?:query|mutation|subscription)\s+(\w+)/m.exec(query)?.[1] ?? '<untitled>';
    const id = `${Date.now()}`;
    index = state.tabs.push({ id, title, query, variables, headers: null, operationName: null, response: null }) - 1;
  }
  const tab = state.tabs[index] as SavedTab;
  const operationName = searchParams.get('operationName');
  if (operationName) Object.assign(tab, { title: operationName, operationName });
  state.activeTabIndex = index;
  // At a reload, the tab may have been edited or closed.
  history.replaceState(null, '', pathname);
}

/**
 * The tab that GraphiQL is to open. GraphiQL reads the other tabs from the local storage, and adds a tab unless it finds
 * the given operation there.
 */
function restoreTabs(presets: SavedTab[]): SavedTab {
  const state = savedTabs(presets);
  openLink(state);
  localStorage.setItem('graphiql:tabState', JSON.stringify(state));
  return state.tabs[state.activeTabIndex] as SavedTab;
}

/**
 * Keeps the tabs where they are. GraphiQL lets users drag them, but the offset of a tab becomes wrong whenever the row of tabs
 * changes its width: a tab would jump to that offset when it is pressed, and the click would miss it.
 */
function holdTabs(): void {
  const hold = (event: Event) => {
    if ((event.target as Element).closest('.graphiql-tab')) event.stopPropagation();
  };
  document.addEventListener('pointerdown', hold, { capture: true });
}

/**
 * Keeps the key in the field for the session of the browser tab. The result makes the headers of an operation; without a key,
 * it shows where to enter one.
 */
function watchKey(): (hasOwn: boolean) => Headers {
  const input = document.querySelector('#api-key input') as HTMLInputElement;
  const hint = document.querySelector('#api-key p') as HTMLElement;
  const item = 'assistant-graph:key';
  const key = () => input.value.trim().replace(/^Bearer\s+/i, '');
  input.value = sessionStorage.getItem(item) ?? '';
  input.addEventListener('input', () => {
    sessionStorage.setItem(item, key());
    hint.hidden = true;
  });
  return (hasOwn): Headers => {
    if (hasOwn) return {};
    if (key()) return { authorization: `Bearer ${key()}` };
    hint.hidden = false;
    input.focus();
    return {};
  };
}

/** Puts the cursor into an operation of the document, which is the one that Ctrl-Enter runs. */
function selectOperation(name: string): void {
  const { editor } = (globalThis as unknown as { __MONACO: Monaco }).__MONACO;
  const found = editor.getEditors().find((each) => each.getModel()?.uri.path.endsWith('operation.graphql'));
  const operation = `^[^#]*\\b(query|mutation|subscription)\\s+${name}\\b`;
  const [match] = found?.getModel()?.findMatches(operation, false, true, true, null, false) ?? [];
  if (!match) return;
  found?.setPosition({ lineNumber: match.range.endLineNumber, column: match.range.endColumn });
  found?.revealLineInCenterIfOutsideViewport(match.range.endLineNumber);
}

/** Renders GraphiQL with its tabs and its key. `options` are those of the server. */
function openGraphiQL(
  presets: SavedTab[],
  render: (root: Element, options: object) => void,
  root: Element,
  options: object,
): void {
  holdTabs();
  const tab = restoreTabs(presets);
  const authorize = watchKey();
  let pane = '';
  let isSelected = false;
  render(root, {
    ...options,
    initialQuery: tab.query ?? '',
    initialVariables: tab.variables ?? '',
    additionalHeaders: ({ operationName, extensions }: Request) => {
      // The schema needs no key, and a wrong one must not hide it.
      if (operationName === 'IntrospectionQuery') return {};
      return authorize(Object.keys(extensions?.headers ?? {}).some((name) => name.toLowerCase() === 'authorization'));
    },
    connectionParams: () => authorize(/^[^/]*"authorization"\s*:/im.test(pane)),
    onEditHeaders: (text: string) => {
      pane = text;
    },
    // By default, each edit goes into the address.
    onEditQuery: () => {},
    onSchemaChange: () => {
      if (!isSelected && tab.operationName) selectOperation(tab.operationName);
      isSelected = true;
    },
  });
}

/** The text of the function that opens the page in the browser, and of the functions that it uses. */
export const clientScript = [savedTabs, openLink, restoreTabs, holdTabs, watchKey, selectOperation, openGraphiQL]
  .map(String)
  .join('\n');
