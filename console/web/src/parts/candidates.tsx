/** Candidates over time: verified with its noise, claimed beside it, and the band within which a gain is noise. */
import { Paper, ScrollArea, Stack, Table, Text } from "@mantine/core";
import {
  CartesianGrid,
  ErrorBar,
  Legend,
  ReferenceArea,
  ReferenceLine,
  ResponsiveContainer,
  Scatter,
  ScatterChart,
  Tooltip,
  XAxis,
  YAxis,
} from "recharts";
import type { CandidateView } from "../../../server/transcript.ts";
import type { Dated } from "./candidates-in.ts";
import { duration, score } from "./format.ts";

const LOWER_IS_BETTER: ReadonlySet<string> = new Set(["LogLoss", "Rmse", "Mae"]);
const INK = "var(--mantine-color-text)";
const LINE = "var(--mantine-color-default-border)";

export default function Candidates({ candidates }: { candidates: readonly Dated[] }) {
  const [first] = candidates;
  if (!first) return <Text c="dimmed">No candidate is verified yet.</Text>;
  const lower = LOWER_IS_BETTER.has(first.metric);
  const best = candidates.reduce((one, other) =>
    (lower ? other.score < one.score : other.score > one.score) ? other : one,
  );
  const points = candidates.map((candidate) => ({
    elapsed: Math.round(candidate.elapsed),
    score: candidate.score,
    claimed: candidate.claimed,
    error: candidate.standardError,
    name: candidate.name,
    number: candidate.number,
  }));
  const baselines = points.filter((_, index) => isBaseline(candidates[index]));
  const others = points.filter((_, index) => !isBaseline(candidates[index]));
  const claimed = others.flatMap(({ elapsed, claimed: value, number, name }) =>
    value === undefined ? [] : [{ elapsed, score: value, number, name }],
  );
  return (
    <Stack>
      <Paper withBorder p="sm">
        <div style={{ height: 300 }} aria-hidden="true">
          <ResponsiveContainer width="100%" height="100%">
            <ScatterChart margin={{ top: 8, right: 16, bottom: 16, left: 8 }} accessibilityLayer={false}>
              <CartesianGrid stroke={LINE} vertical={false} />
              <XAxis
                type="number"
                dataKey="elapsed"
                name="after"
                unit=" s"
                stroke={INK}
                tick={{ fill: INK, fontSize: 12 }}
              />
              <YAxis
                type="number"
                dataKey="score"
                name={first.metric}
                domain={["auto", "auto"]}
                stroke={INK}
                tick={{ fill: INK, fontSize: 12 }}
                width={64}
              />
              <ReferenceArea
                y1={best.score - best.standardError}
                y2={best.score + best.standardError}
                fill="var(--mantine-color-blue-5)"
                fillOpacity={0.15}
                ifOverflow="extendDomain"
              />
              <ReferenceLine y={best.score} stroke="var(--mantine-color-blue-6)" strokeDasharray="4 3" />
              <Tooltip
                contentStyle={{ background: "var(--mantine-color-body)", borderColor: LINE, color: INK }}
              />
              <Legend formatter={(name) => <span style={{ color: INK }}>{name}</span>} />
              <Scatter
                name="baselines"
                data={baselines}
                fill="var(--mantine-color-gray-6)"
                shape="square"
                isAnimationActive={false}
              >
                <ErrorBar
                  dataKey="error"
                  direction="y"
                  stroke="var(--mantine-color-gray-6)"
                  width={4}
                  isAnimationActive={false}
                />
              </Scatter>
              <Scatter
                name="verified"
                data={others}
                fill="var(--mantine-color-blue-6)"
                isAnimationActive={false}
              >
                <ErrorBar
                  dataKey="error"
                  direction="y"
                  stroke="var(--mantine-color-blue-6)"
                  width={4}
                  isAnimationActive={false}
                />
              </Scatter>
              {claimed.length > 0 && (
                <Scatter
                  name="claimed by the author"
                  data={claimed}
                  fill="var(--mantine-color-orange-6)"
                  shape="diamond"
                  isAnimationActive={false}
                />
              )}
            </ScatterChart>
          </ResponsiveContainer>
        </div>
        <Text size="sm" c="dimmed">
          {first.metric}, {lower ? "lower" : "higher"} is better. The band is one standard error around the
          best: what lies in it may be as good.
        </Text>
      </Paper>
      <ScrollArea type="auto" viewportProps={{ tabIndex: 0, "aria-label": "Candidates", role: "region" }}>
        <Table miw={560}>
          <Table.Thead>
            <Table.Tr>
              {["", "Candidate", "Verified", "Claimed", "Gain", "After", "Took"].map((title) => (
                <Table.Th key={title} scope="col">
                  {title || <span className="hidden">Number</span>}
                </Table.Th>
              ))}
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {candidates.map((candidate) => (
              <Table.Tr key={candidate.number}>
                <Table.Td>{candidate.number}</Table.Td>
                <Table.Td>
                  <span className="wrap">{candidate.name}</span>
                  {candidate === best && <strong> (best)</strong>}
                  {candidate.memorised && (
                    <Text size="sm" c="var(--mantine-color-error)">
                      knows rows by heart; scored on the others
                    </Text>
                  )}
                </Table.Td>
                <Table.Td>{score(candidate.score, candidate.standardError)}</Table.Td>
                <Table.Td>{candidate.claimed === undefined ? "" : score(candidate.claimed)}</Table.Td>
                <Table.Td>{candidate.gain ? gainText(candidate.gain) : ""}</Table.Td>
                <Table.Td>{duration(candidate.elapsed)}</Table.Td>
                <Table.Td>{duration(candidate.seconds)}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </ScrollArea>
    </Stack>
  );
}

function isBaseline(candidate: Dated | undefined): boolean {
  return candidate?.origin === "PriorBaseline" || candidate?.origin === "BoostingBaseline";
}

function gainText({ value, standardError, over }: NonNullable<CandidateView["gain"]>): string {
  const noise = Math.abs(value) <= standardError ? ", noise" : "";
  return `${score(value, standardError)} over ${over}${noise}`;
}
