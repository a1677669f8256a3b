/** The fields of a task document that say how long and for what a task may wait. */
import { limits } from './limits.ts';
import type { TaskSpec } from './spec.ts';
import { describeValue, type ProblemList, pointerStep, readDuration } from './spec-reading.ts';
import { type OffPeak, type Priority, priorities } from './spec-scheduling.ts';
import { formatDuration } from './time.ts';
import { formatWindow, parseWindow, type Window } from './windows.ts';

export interface WaitingDraft {
  toleranceMs: number | undefined;
  expireMs: number | undefined;
  priority: Priority | undefined;
  offPeak: boolean;
  windows: Window[];
}

export const emptyWaiting = (): WaitingDraft => ({
  toleranceMs: undefined,
  expireMs: undefined,
  priority: undefined,
  offPeak: false,
  windows: [],
});

type Read = (draft: WaitingDraft, value: unknown, pointer: string, problems: ProblemList) => void;

const toleranceRange = { min: limits.toleranceMsMin, max: limits.toleranceMsMax };

function readWindows(
  draft: WaitingDraft,
  value: unknown,
  pointer: string,
  problems: ProblemList,
): void {
  const texts = Array.isArray(value) ? value : [value];
  if (texts.length === 0 || texts.length > limits.windowsMax) {
    problems.add(pointer, `must be a window, or a list of 1 to ${limits.windowsMax}`);
    return;
  }
  texts.forEach((text: unknown, position) => {
    const place = Array.isArray(value) ? pointer + pointerStep(position) : pointer;
    const window = parseWindow(typeof text === 'string' ? text : '');
    if (typeof window === 'string') problems.add(place, `${window}; not ${describeValue(text)}`);
    else draft.windows.push(window);
  });
}

export const waitingReaders = {
  tolerance: (draft, value, pointer, problems) => {
    draft.toleranceMs = readDuration(problems, pointer, value, toleranceRange);
  },
  expire: (draft, value, pointer, problems) => {
    draft.expireMs = readDuration(problems, pointer, value, toleranceRange);
  },
  priority: (draft, value, pointer, problems) => {
    const priority = priorities.find(word => word === value);
    if (priority === undefined) {
      problems.add(pointer, `must be ${priorities.join(', ')}, not ${describeValue(value)}`);
    } else draft.priority = priority === 'normal' ? undefined : priority;
  },
  offPeak: (draft, value, pointer, problems) => {
    if (typeof value === 'boolean') draft.offPeak = value;
    else problems.add(pointer, `must be true or false, not ${describeValue(value)}`);
  },
  window: readWindows,
} satisfies Record<string, Read>;

/** What they say together. */
export function checkWaiting(draft: WaitingDraft, problems: ProblemList): void {
  const { expireMs, toleranceMs } = draft;
  if (expireMs === undefined || toleranceMs === undefined || expireMs >= toleranceMs) return;
  problems.add(
    '/expire',
    `${formatDuration(expireMs)} is before the start bound: it would be dropped while it may wait ` +
      `for ${formatDuration(toleranceMs)} more; raise it, or lower \`tolerance\``,
  );
}

/** The fields of the spec that they make. */
export function waitingOf(draft: WaitingDraft): {
  readonly toleranceMs: number | undefined;
  readonly expireMs: number | undefined;
  readonly priority: Priority | undefined;
  readonly offPeak: OffPeak | undefined;
} {
  const { toleranceMs, expireMs, priority, offPeak, windows } = draft;
  const held: OffPeak = { byLoad: offPeak, windows };
  return {
    toleranceMs,
    expireMs,
    priority,
    offPeak: offPeak || windows.length > 0 ? held : undefined,
  };
}

/** The fields of a document that read as these of the spec. */
export function writeWaiting(spec: TaskSpec): Record<string, unknown> {
  const { toleranceMs, expireMs, priority, offPeak } = spec;
  return {
    ...(toleranceMs === undefined ? {} : { tolerance: formatDuration(toleranceMs) }),
    ...(expireMs === undefined ? {} : { expire: formatDuration(expireMs) }),
    ...(priority === undefined ? {} : { priority }),
    ...(offPeak?.byLoad ? { offPeak: true } : {}),
    ...(offPeak && offPeak.windows.length > 0 ? { window: offPeak.windows.map(formatWindow) } : {}),
  };
}
