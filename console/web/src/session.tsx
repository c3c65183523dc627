/** Who is signed in. Whatever is answered with 401 leads back to the sign-in page. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { createContext, type ReactNode, useContext } from "react";
import { api, refusalOf, send } from "./api.ts";
import { Loading, Problem } from "./parts/states.tsx";
import { SignIn } from "./sign-in.tsx";

export type Me = Awaited<ReturnType<typeof api.me.query>>;

const SessionContext = createContext<Me | undefined>(undefined);

/** Below SessionGate alone. */
export function useMe(): Me {
  const me = useContext(SessionContext);
  if (!me) throw new Error("nobody is signed in here");
  return me;
}

export function useSignOut(): () => Promise<void> {
  const queries = useQueryClient();
  return async () => {
    await send("/api/sign-out", { method: "POST" });
    queries.clear();
    window.location.assign("/sign-in");
  };
}

export function SessionGate({ children }: { children: ReactNode }) {
  const me = useQuery({ queryKey: ["me"], queryFn: () => api.me.query(), retry: false });
  if (me.isPending) return <Loading what="the console" />;
  if (me.isError) {
    if (refusalOf(me.error) === "UNAUTHORIZED") return <SignIn />;
    return <Problem error={me.error} onRetry={() => me.refetch()} />;
  }
  return <SessionContext value={me.data}>{children}</SessionContext>;
}
