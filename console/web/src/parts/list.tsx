/** A table of resources: filtered by what is typed, a page at a time, so that thousands are as quick as ten. */
import { Group, Pagination, ScrollArea, Stack, Table, Text, TextInput } from "@mantine/core";
import { memo, type ReactNode, useDeferredValue, useMemo, useState } from "react";
import type { Row } from "../../../server/rows.ts";
import { count } from "./format.ts";

export type Column<R> = { readonly title: string; readonly cell: (row: R) => ReactNode };

const PAGE = 50;

export function ResourceList<R extends Row>({
  rows,
  columns,
  label,
}: {
  rows: readonly R[];
  columns: readonly Column<R>[];
  label: string;
}) {
  const [typed, setTyped] = useState("");
  const [page, setPage] = useState(1);
  // What is typed shows at once, what is found as soon as there is time for it.
  const sought = useDeferredValue(typed);
  const found = useMemo(() => {
    const words = sought.trim().toLowerCase();
    return words === ""
      ? rows
      : rows.filter(({ key, state, message }) => `${key} ${state} ${message}`.toLowerCase().includes(words));
  }, [rows, sought]);
  const pages = Math.max(1, Math.ceil(found.length / PAGE));
  const current = Math.min(page, pages);
  return (
    <Stack gap="sm">
      <TextInput
        label={`Find among ${count(rows.length)} ${label}`}
        placeholder="name, state or words of its message"
        value={typed}
        onChange={(event) => {
          setTyped(event.currentTarget.value);
          setPage(1);
        }}
        maw={420}
      />
      <ScrollArea type="auto" viewportProps={{ tabIndex: 0, "aria-label": label, role: "region" }}>
        <Table striped highlightOnHover verticalSpacing="sm" miw={520}>
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
            {found.slice((current - 1) * PAGE, current * PAGE).map((row) => (
              <Line key={row.key} row={row} columns={columns as readonly Column<Row>[]} />
            ))}
          </Table.Tbody>
        </Table>
      </ScrollArea>
      {found.length === 0 && (
        <Text c="dimmed" role="status">
          None of them fits “{sought}”.
        </Text>
      )}
      {pages > 1 && (
        <Group>
          <Pagination
            total={pages}
            value={current}
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
