/**
 * The way in: asks for the token once and opens the board with it. The token is in the session
 * storage of this tab, and nowhere else: not in the address, not in a cookie.
 */
import { Api } from './api.ts';
import { Board, tryToken } from './board.ts';
import { Connection } from './connection.ts';
import { byId, setText } from './dom.ts';
import { ApiError, wordsOf } from './problem.ts';

const storageKey = 'tsched.token';

const connection = new Connection();
let board: Board | undefined;

function ask(words: string): void {
  board?.close();
  board = undefined;
  sessionStorage.removeItem(storageKey);
  connection.clear();
  setText(byId('where', HTMLElement), '');
  byId('forget', HTMLElement).hidden = true;
  byId('skip', HTMLElement).hidden = true;
  byId('enter', HTMLElement).hidden = false;
  setText(byId('token-failure', HTMLElement), words);
  const input = byId('token', HTMLInputElement);
  input.value = '';
  input.focus();
}

function open(token: string): void {
  byId('enter', HTMLElement).hidden = true;
  byId('forget', HTMLElement).hidden = false;
  byId('skip', HTMLElement).hidden = false;
  const api = new Api(token, error => ask(wordsOf(error)));
  board = new Board(api, connection);
}

/** Keeps the token once the node has not refused it; a node in trouble does not refuse a token. */
async function enter(token: string): Promise<void> {
  setText(byId('token-failure', HTMLElement), '');
  try {
    await tryToken(new Api(token, () => undefined));
  } catch (error) {
    const refused =
      !(error instanceof ApiError) || ['unauthorized', 'forbidden'].includes(error.code);
    if (refused || error.code === 'noAnswer') {
      setText(byId('token-failure', HTMLElement), wordsOf(error));
      return;
    }
  }
  sessionStorage.setItem(storageKey, token);
  byId('token', HTMLInputElement).value = '';
  open(token);
}

byId('token-form', HTMLFormElement).addEventListener('submit', event => {
  event.preventDefault();
  const token = byId('token', HTMLInputElement).value.trim();
  enter(token).catch(error => setText(byId('token-failure', HTMLElement), wordsOf(error)));
});
byId('forget', HTMLButtonElement).addEventListener('click', () => ask(''));

const kept = sessionStorage.getItem(storageKey);
if (kept === null) ask('');
else open(kept);
