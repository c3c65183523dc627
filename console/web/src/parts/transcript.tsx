/** The transcript: only what is on screen is in the page, so that hundreds of steps scroll as ten do. */
import { Alert, Badge, Button, Group, Paper, Stack, Text } from "@mantine/core";
import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { memo, useLayoutEffect, useMemo, useRef, useState } from "react";
import type { CallView, EntryView } from "../../../server/transcript.ts";
import { Block } from "./block.tsx";
import { Code, Diff } from "./code.tsx";
import { duration, score } from "./format.ts";

/** An entry with what only its neighbours tell. */
type Told = {
  readonly entry: EntryView;
  /** Seconds since the entry before. */
  readonly took: number;
  /** Of each call: the file as it was written before. */
  readonly before: readonly (string | undefined)[];
};

/** A transcript is only added to: what was told before stays the same object, so that it is not drawn again. */
export class Teller {
  readonly #told: Told[] = [];
  readonly #files = new Map<string, string>();

  of(entries: readonly EntryView[]): readonly Told[] {
    const isMore = this.#told.every(({ entry }, index) => entry === entries[index]);
    if (!isMore) {
      this.#told.length = 0;
      this.#files.clear();
    }
    for (const entry of entries.slice(this.#told.length)) this.#told.push(this.#next(entry));
    return [...this.#told];
  }

  #next(entry: EntryView): Told {
    const took = Math.max(0, entry.elapsed - (this.#told.at(-1)?.entry.elapsed ?? 0));
    const calls = entry.type === "Reply" ? entry.calls : [];
    const before = calls.map(({ path, code }) => {
      if (path === undefined || code === undefined) return undefined;
      const known = this.#files.get(path);
      this.#files.set(path, code);
      return known;
    });
    return { entry, took, before };
  }
}

export function Transcript({ entries }: { entries: readonly EntryView[] }) {
  const [teller] = useState(() => new Teller());
  const told = useMemo(() => teller.of(entries), [teller, entries]);
  const list = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  // biome-ignore lint/correctness/useExhaustiveDependencies: what is above grows with what comes
  useLayoutEffect(() => {
    if (list.current) setTop(list.current.getBoundingClientRect().top + window.scrollY);
  }, [entries.length]);
  const rows = useWindowVirtualizer({
    count: told.length,
    estimateSize: () => 140,
    overscan: 6,
    scrollMargin: top,
    gap: 12,
    getItemKey: (index) => told[index]?.entry.sequence ?? index,
  });
  return (
    <div
      ref={list}
      role="feed"
      aria-label="Transcript"
      aria-busy="false"
      style={{ height: rows.getTotalSize(), position: "relative" }}
    >
      {rows.getVirtualItems().map(({ index, key, start }) => {
        const one = told[index];
        return (
          one && (
            <article
              key={key}
              ref={rows.measureElement}
              data-index={index}
              aria-posinset={index + 1}
              aria-setsize={told.length}
              aria-label={headOf(one.entry)}
              style={{
                position: "absolute",
                insetInline: 0,
                top: 0,
                transform: `translateY(${start - top}px)`,
              }}
            >
              <Entry told={one} />
            </article>
          )
        );
      })}
    </div>
  );
}

function headOf(entry: EntryView): string {
  switch (entry.type) {
    case "Prepared":
      return "Data prepared";
    case "Reply":
      return `Step ${entry.step}: ${entry.model}`;
    case "Tool":
      return `Step ${entry.step}: ${entry.name}`;
    case "Candidate":
      return `Candidate ${entry.candidate.number}: ${entry.candidate.name}`;
    case "Note":
      return entry.title;
  }
}

/** Not drawn again while others are scrolled past it. */
const Entry = memo(function Entry({ told: { entry, took, before } }: { told: Told }) {
  return (
    <Paper withBorder p="md">
      <Stack gap="sm">
        <Group justify="space-between" gap="xs">
          <Text fw={600} className="wrap">
            {headOf(entry)}
          </Text>
          <Group gap="xs">
            {entry.type === "Tool" && (
              <Badge variant="dot" color={entry.ok ? "green" : "red"} tt="none">
                {entry.ok ? "ok" : "failed"}
              </Badge>
            )}
            <Text size="sm" c="dimmed">
              at {duration(entry.elapsed)}, after {duration(took)}
            </Text>
          </Group>
        </Group>
        <Body entry={entry} before={before} />
      </Stack>
    </Paper>
  );
});

function Body({ entry, before }: { entry: EntryView; before: Told["before"] }) {
  switch (entry.type) {
    case "Prepared":
      return (
        <>
          <Text size="sm">
            {entry.rows.train} rows to learn from, {entry.rows.selection} to select by, {entry.rows.final} for
            the final score. {entry.task}, {entry.metric}, {entry.method}.
          </Text>
          {entry.warnings.map(({ code, message }) => (
            <Alert key={`${code} ${message}`} color="yellow" variant="outline" className="wrap">
              {message}
            </Alert>
          ))}
        </>
      );
    case "Reply":
      return (
        <>
          {entry.texts.map((text) => (
            <Text key={text} size="sm" className="wrap" style={{ whiteSpace: "pre-wrap" }}>
              {text}
            </Text>
          ))}
          {entry.calls.map((call, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: calls of a reply are told apart by their place
            <Call key={index} call={call} before={before[index]} />
          ))}
          <Text size="sm" c="dimmed">
            {entry.tokens} tokens{entry.finish && `, ${entry.finish}`}
          </Text>
        </>
      );
    case "Tool":
      return (
        <>
          {entry.candidate && <CandidateLine candidate={entry.candidate} />}
          {entry.result !== "" && <Folded title="Result" text={entry.result} />}
          {entry.output !== "" && <Folded title="Output" text={entry.output} open />}
          {entry.traceback !== "" && <Folded title="Traceback" text={entry.traceback} open />}
        </>
      );
    case "Candidate":
      return <CandidateLine candidate={entry.candidate} />;
    case "Note":
      return (
        <>
          {entry.message !== "" && (
            <Text size="sm" className="wrap" style={{ whiteSpace: "pre-wrap" }}>
              {entry.message}
            </Text>
          )}
          {entry.warnings.map((warning) => (
            <Text key={warning} size="sm" c="dimmed" className="wrap">
              {warning}
            </Text>
          ))}
        </>
      );
  }
}

function CandidateLine({
  candidate,
}: {
  candidate: NonNullable<Extract<EntryView, { type: "Tool" }>["candidate"]>;
}) {
  const { number, name, description, metric, claimed, warnings } = candidate;
  return (
    <div>
      <Text size="sm">
        Candidate {number}, <span className="wrap">{name}</span>: {metric}{" "}
        <strong>{score(candidate.score, candidate.standardError)}</strong> verified
        {claimed !== undefined && `, ${score(claimed)} claimed`}
      </Text>
      <Text size="sm" c="dimmed" className="wrap">
        {description}
      </Text>
      {warnings.map((warning) => (
        <Text key={warning} size="sm" c="var(--mantine-color-error)" className="wrap">
          {warning}
        </Text>
      ))}
    </div>
  );
}

function Call({
  call: { name, path, code, arguments: given },
  before,
}: {
  call: CallView;
  before: string | undefined;
}) {
  const [shown, setShown] = useState<"Nothing" | "Code" | "Changes">("Nothing");
  const button = (what: "Code" | "Changes"): React.ReactNode => (
    <Button
      variant="default"
      size="compact-sm"
      aria-expanded={shown === what}
      onClick={() => setShown(shown === what ? "Nothing" : what)}
    >
      {what}
    </Button>
  );
  return (
    <Stack gap="xs">
      <Group gap="xs">
        <Text size="sm" className="mono wrap">
          {name} {path ?? (given === "{}" ? "" : given.slice(0, 200))}
        </Text>
        {code !== undefined && button("Code")}
        {code !== undefined && before !== undefined && button("Changes")}
      </Group>
      {shown === "Code" && code !== undefined && <Code text={code} label={`Code of ${path}`} />}
      {shown === "Changes" && code !== undefined && before !== undefined && (
        <Diff before={before} after={code} label={`Changes of ${path}`} />
      )}
    </Stack>
  );
}

function Folded({ title, text, open = false }: { title: string; text: string; open?: boolean }) {
  const [unfolded, setUnfolded] = useState(open && text.length < 4000);
  return (
    <details open={unfolded} onToggle={(event) => setUnfolded(event.currentTarget.open)}>
      <summary>
        {title}, {text.length} characters
      </summary>
      {/* Ten megabytes that nobody looks at need no place on the page. */}
      {unfolded && (
        <Block label={title} soft>
          {text}
        </Block>
      )}
    </details>
  );
}
