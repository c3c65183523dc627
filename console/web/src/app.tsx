/** The shell around the pages; each page is loaded when it is opened. */
import {
  Anchor,
  AppShell,
  Burger,
  Button,
  Group,
  NavLink,
  SegmentedControl,
  Stack,
  Text,
  TextInput,
  useMantineColorScheme,
} from "@mantine/core";
import { useDisclosure, useLocalStorage } from "@mantine/hooks";
import { lazy, Suspense, useEffect, useState } from "react";
import { Link, Route, Switch, useLocation } from "wouter";
import { LiveProvider, useLive } from "./live.tsx";
import { Dashboard } from "./pages/dashboard.tsx";
import { Empty, Loading } from "./parts/states.tsx";
import { useMe, useSignOut } from "./session.tsx";

const Datasets = lazy(() => import("./pages/datasets.tsx"));
const DatasetPage = lazy(() => import("./pages/dataset.tsx"));
const Train = lazy(() => import("./pages/train.tsx"));
const Jobs = lazy(() => import("./pages/jobs.tsx"));
const JobPage = lazy(() => import("./pages/job.tsx"));
const Models = lazy(() => import("./pages/models.tsx"));
const ModelPage = lazy(() => import("./pages/model.tsx"));

const LINKS = [
  { href: "/", label: "Dashboard" },
  { href: "/datasets", label: "Datasets" },
  { href: "/train", label: "New training" },
  { href: "/jobs", label: "Jobs" },
  { href: "/models", label: "Models" },
] as const;

export function App() {
  const me = useMe();
  const [stored, setNamespace] = useLocalStorage({ key: "autoai-namespace", defaultValue: me.namespace });
  // On one machine there is no reason to look at one namespace alone.
  const namespace = me.mode === "Embedded" ? undefined : stored;
  const [opened, { toggle, close }] = useDisclosure();
  const [location] = useLocation();
  // biome-ignore lint/correctness/useExhaustiveDependencies: the menu closes when the page changes
  useEffect(close, [location]);
  return (
    <LiveProvider namespace={namespace}>
      <a className="skip" href="#main">
        Skip to the page
      </a>
      <AppShell
        header={{ height: 52 }}
        navbar={{ width: 220, breakpoint: "sm", collapsed: { mobile: !opened } }}
        padding="md"
      >
        <AppShell.Header>
          <Group h="100%" px="md" justify="space-between" wrap="nowrap">
            <Group gap="sm" wrap="nowrap">
              <Burger
                opened={opened}
                onClick={toggle}
                hiddenFrom="sm"
                size="sm"
                aria-label="Menu"
                aria-expanded={opened}
              />
              <Anchor component={Link} href="/" fw={700} underline="never" c="inherit">
                AutoAI
              </Anchor>
            </Group>
            <Connection />
          </Group>
        </AppShell.Header>
        <AppShell.Navbar p="sm">
          <AppShell.Section grow component="nav" aria-label="Pages">
            {LINKS.map(({ href, label }) => (
              <NavLink
                key={href}
                component={Link}
                href={href}
                label={label}
                variant="subtle"
                color="gray"
                active={isAt(location, href)}
                aria-current={isAt(location, href) ? "page" : undefined}
                className="nav"
              />
            ))}
          </AppShell.Section>
          <Foot namespace={namespace} onNamespace={setNamespace} />
        </AppShell.Navbar>
        <AppShell.Main id="main">
          <Suspense fallback={<Loading what="the page" />}>
            <Switch>
              <Route path="/" component={Dashboard} />
              <Route path="/sign-in/*?" component={Dashboard} />
              <Route path="/datasets" component={Datasets} />
              <Route path="/datasets/:namespace/:name">
                {({ namespace, name }) => (
                  <DatasetPage key={`${namespace}/${name}`} namespace={namespace} name={name} />
                )}
              </Route>
              <Route path="/train" component={Train} />
              <Route path="/jobs" component={Jobs} />
              <Route path="/jobs/:namespace/:name">
                {({ namespace, name }) => (
                  <JobPage key={`${namespace}/${name}`} namespace={namespace} name={name} />
                )}
              </Route>
              <Route path="/models" component={Models} />
              <Route path="/models/:namespace/:name">
                {({ namespace, name }) => (
                  <ModelPage key={`${namespace}/${name}`} namespace={namespace} name={name} />
                )}
              </Route>
              <Route>
                <Empty title="There is no such page">
                  The address leads nowhere. The menu has every page that there is.
                </Empty>
              </Route>
            </Switch>
          </Suspense>
        </AppShell.Main>
      </AppShell>
    </LiveProvider>
  );
}

function isAt(location: string, href: string): boolean {
  return href === "/" ? location === "/" : location === href || location.startsWith(`${href}/`);
}

function Connection() {
  const { connection } = useLive();
  const words = { Loading: "Connecting…", Live: "Live", Broken: "Connection lost; trying again…" };
  return (
    <Text size="sm" c="dimmed" role="status" data-connection={connection} truncate>
      {words[connection]}
    </Text>
  );
}

function Foot({
  namespace,
  onNamespace,
}: {
  namespace: string | undefined;
  onNamespace: (name: string) => void;
}) {
  const me = useMe();
  const signOut = useSignOut();
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const [typed, setTyped] = useState(namespace ?? "");
  return (
    <Stack gap="sm">
      {namespace !== undefined && (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            if (/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(typed)) onNamespace(typed);
          }}
        >
          <TextInput
            label="Namespace"
            size="xs"
            value={typed}
            onChange={(event) => setTyped(event.currentTarget.value)}
          />
        </form>
      )}
      <SegmentedControl
        size="xs"
        aria-label="Colours"
        value={colorScheme}
        onChange={(value) => setColorScheme(value as "auto" | "light" | "dark")}
        data={[
          { value: "auto", label: "Auto" },
          { value: "light", label: "Light" },
          { value: "dark", label: "Dark" },
        ]}
      />
      <Text size="xs" c="dimmed" className="wrap">
        {me.user} · {me.mode === "Embedded" ? "this machine" : "cluster"} · {me.version}
      </Text>
      <Button variant="default" size="xs" onClick={() => void signOut()}>
        Sign out
      </Button>
    </Stack>
  );
}
