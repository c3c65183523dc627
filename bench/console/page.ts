/** What a browser tells of a page: when it was ready, how long its frames and tasks took. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Page } from "playwright-core";

/** Put into each page before its own scripts; buffers what happens from the very first moment. */
export const RECORDER = `
  window.bench = { tasks: [], frames: [], recording: false, shown: undefined };
  new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries()) window.bench.tasks.push({ startTime, duration });
  }).observe({ type: "longtask", buffered: true });
  const loads = () => [...document.querySelectorAll('[role="status"]')].some((one) => one.textContent.startsWith("Loading"));
  const frame = (now) => {
    if (window.bench.shown === undefined && document.querySelector("h1, article") && !loads()) window.bench.shown = performance.now();
    if (window.bench.recording) window.bench.frames.push(now);
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
`;

/**
 * Seconds of CPU that the page's main thread has taken, by now. Unlike the clock it does not count what other programs of the
 * machine took meanwhile.
 */
export type Meter = () => Promise<number>;

export async function metered(page: Page): Promise<Meter> {
  const session = await page.context().newCDPSession(page);
  await session.send("Performance.enable", { timeDomain: "threadTicks" });
  return async () => {
    const { metrics } = await session.send("Performance.getMetrics");
    return metrics.find(({ name }) => name === "TaskDuration")?.value ?? Number.NaN;
  };
}

export type Task = { readonly startTime: number; readonly duration: number };

export type Motion = {
  readonly frames: number;
  /** Milliseconds between two frames: of 100 frames, 95 took at most so long; and the longest. */
  readonly p95: number;
  readonly longest: number;
  /** Tasks of more than 50 ms, and the longest of them. */
  readonly longTasks: number;
  readonly longestTask: number;
  /** CPU of the main thread for each frame, milliseconds. */
  readonly cpu: number;
};

/** What the page did while something was done with it. */
export async function motionOf(page: Page, meter: Meter, action: () => Promise<void>): Promise<Motion> {
  const before = await meter();
  await page.evaluate("Object.assign(window.bench, { tasks: [], frames: [], recording: true })");
  await action();
  const cpu = (await meter()) - before;
  const { tasks, frames } = (await page.evaluate(
    "(window.bench.recording = false, { tasks: window.bench.tasks, frames: window.bench.frames })",
  )) as { tasks: Task[]; frames: number[] };
  const gaps = frames.slice(1).map((at, index) => at - (frames[index] ?? at));
  const sorted = gaps.toSorted((one, other) => one - other);
  return {
    frames: gaps.length,
    cpu: (cpu * 1000) / Math.max(1, gaps.length),
    p95: sorted[Math.floor(sorted.length * 0.95)] ?? 0,
    longest: sorted.at(-1) ?? 0,
    longTasks: tasks.length,
    longestTask: Math.max(0, ...tasks.map(({ duration }) => duration)),
  };
}

export type FirstPage = {
  /** Bytes as they came over the wire, headers included. */
  readonly bytes: number;
  readonly requests: number;
  readonly firstPaint: number;
  /** The later of: its content is there, and the last long task before five quiet seconds is over. */
  readonly interactive: number;
  readonly blocked: number;
  /** CPU of the main thread, milliseconds. */
  readonly cpu: number;
};

const QUIET_MS = 5000;

/** The page has a heading and says no more that it loads when it can be used, and not before. */
export async function firstPage(page: Page, meter: Meter, url: string): Promise<FirstPage> {
  await page.goto(url, { waitUntil: "load" });
  // The policy of the console forbids Playwright's own waiting, which makes functions of text.
  const isQuiet = `window.bench.shown !== undefined &&
    performance.now() - Math.max(window.bench.shown, ...window.bench.tasks.map((task) => task.startTime + task.duration)) > ${QUIET_MS}`;
  while (!(await page.evaluate(isQuiet))) await sleep(200);
  const cpu = (await meter()) * 1000;
  const told = (await page.evaluate(`(() => {
    const loaded = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")];
    const { tasks, shown } = window.bench;
    const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);
    return {
      bytes: sum(loaded.map(({ transferSize }) => transferSize)),
      requests: loaded.length,
      firstPaint: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0,
      interactive: Math.max(shown, ...tasks.map(({ startTime, duration }) => startTime + duration)),
      blocked: sum(tasks.map(({ duration }) => duration - 50)),
    };
  })()`)) as Omit<FirstPage, "cpu">;
  return { ...told, cpu };
}
