/** A question before something is done that cannot be taken back; the dialog stays until it is. */
import { byId, setText } from './dom.ts';
import { wordsOf } from './problem.ts';

export interface Question {
  readonly title: string;
  readonly words: string;
  /** What the button that does it says. */
  readonly yes: string;
  readonly asksReason: boolean;
  /** Does it; what it throws is shown in the dialog. */
  run(reason: string): Promise<void>;
}

export function confirm(question: Question): void {
  const dialog = byId('confirm', HTMLDialogElement);
  const form = byId('confirm-form', HTMLFormElement);
  const yes = byId('confirm-yes', HTMLButtonElement);
  const reason = byId('confirm-reason', HTMLInputElement);
  const failure = byId('confirm-failure', HTMLElement);
  setText(byId('confirm-title', HTMLElement), question.title);
  setText(byId('confirm-words', HTMLElement), question.words);
  setText(yes, question.yes);
  setText(failure, '');
  byId('confirm-reason-row', HTMLElement).hidden = !question.asksReason;
  reason.value = '';
  yes.disabled = false;
  byId('confirm-no', HTMLButtonElement).onclick = () => dialog.close();
  form.onsubmit = event => {
    event.preventDefault();
    yes.disabled = true;
    question
      .run(reason.value)
      .then(() => dialog.close())
      .catch(error => {
        yes.disabled = false;
        setText(failure, wordsOf(error));
      });
  };
  if (!dialog.open) dialog.showModal();
}

/** Closes the question, where one is open: what it was about is no longer on the page. */
export const closeQuestion = (): void => byId('confirm', HTMLDialogElement).close();
