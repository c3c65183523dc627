/** A table of resources: a page at a time, and what is typed is sought by the server, so that thousands are as quick as ten. */
import { Group, Pagination, ScrollArea, Stack, Table, Text, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { memo, type ReactNode, useState } from "react";
import type { Row, RowOf } from "../../../server/rows.ts";
import { type Kind, useRows } from "../live.tsx";
import { count } from "./format.ts";
import { deniedList, isDenied, Loading, Problem } from "./states.tsx";

export type Column<R> = { readonly title: string; readonly cell: (row: R) => ReactNode };

/** Rows at a time. */
export const PAGE = 50;
/** Seen at a glance. */
const FEW = 10;
/** Narrower, and words would be broken up; the table scrolls. */
const COLUMN_WIDTH = 115;

export function ResourceList<K extends Kind>({
  kind,
  ready = false,
  columns,
  label,
  empty,
}: {
  kind: K;
  /** Those alone that are ready. */
  ready?: boolean;
  columns: readonly Column<RowOf[K]>[];
  label: string;
  /** Shown where there is none at all. */
  empty: ReactNode;
}) {
  const [typed, setTyped] = useState("");
  const [page, setPage] = useState(1);
  const [sought] = useDebouncedValue(typed.trim(), 150);
  const list = useRows(kind, { ready, find: sought, from: (page - 1) * PAGE, limit: PAGE });
  if (list.isPending) return <Loading what={`the ${label}`} />;
  if (list.isError && (!list.data || isDenied(list.error))) {
    return <Problem error={list.error} onRetry={() => list.refetch()} denied={deniedList(kind)} />;
  }
  const { rows, total, matching } = list.data;
  if (total === 0) return empty;
  const pages = Math.max(1, Math.ceil(matching / PAGE));
  return (
    <Stack gap="sm">
      {(total > FEW || typed !== "") && (
        <TextInput
          label={`Find among ${count(total)} ${label}`}
          placeholder="name, state or words of its message"
          value={typed}
          onChange={(event) => {
            setTyped(event.currentTarget.value);
            setPage(1);
          }}
          maxLength={200}
          maw={420}
        />
      )}
      <ScrollArea type="auto" viewportProps={{ tabIndex: 0, "aria-label": label, role: "region" }}>
        <Table striped highlightOnHover verticalSpacing="sm" miw={columns.length * COLUMN_WIDTH}>
          <Table.Thead>
            <Table.Tr>
              {columns.map(({ title }) => (
                <Table.Th key={title} scope="col">
                  {title}
                </Table.Th>
              ))}
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {rows.map((row) => (
              <Line key={row.key} row={row} columns={columns as readonly Column<Row>[]} />
            ))}
          </Table.Tbody>
        </Table>
      </ScrollArea>
      {matching === 0 && (
        <Text c="dimmed" role="status">
          None of them fits “{sought}”.
        </Text>
      )}
      {pages > 1 && (
        <Group>
          <Pagination
            total={pages}
            value={Math.min(page, pages)}
            onChange={setPage}
            getControlProps={(control) => ({ "aria-label": `${control} page` })}
            getItemProps={(number) => ({ "aria-label": `page ${number}` })}
          />
        </Group>
      )}
    </Stack>
  );
}

/** Drawn again when its row changed, and not when another did. */
const Line = memo(function Line({ row, columns }: { row: Row; columns: readonly Column<Row>[] }) {
  return (
    <Table.Tr>
      {columns.map(({ title, cell }, index) => (
        // A name is not broken up for the sake of the columns beside it.
        <Table.Td key={title} miw={index === 0 ? 140 : undefined}>
          {cell(row)}
        </Table.Td>
      ))}
    </Table.Tr>
  );
});
