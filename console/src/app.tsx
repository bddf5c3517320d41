import { useCallback, useEffect, useState } from "preact/hooks";
import { api, ApiError, Unreachable } from "./api/client";
import type { OlderCopy, Status, User } from "./api/types";
import { isOwner } from "./logic/people";
import { startPower, type Power } from "./logic/power";
import { AccountPage } from "./pages/account";
import { AppPage } from "./pages/app";
import { AppsPage } from "./pages/apps";
import { BackupsPage } from "./pages/backups";
import { FilesPage } from "./pages/files";
import { HomePage } from "./pages/home";
import { InstallPage } from "./pages/install";
import { LockedPage } from "./pages/locked";
import { LoginPage } from "./pages/login";
import { LogsPage } from "./pages/logs";
import { NetworkPage } from "./pages/network";
import { OlderCopyPage } from "./pages/oldercopy";
import { UpdatesPage } from "./pages/updates";
import { PeoplePage } from "./pages/people";
import { PowerPage } from "./pages/power";
import { StartPage } from "./pages/start";
import { StoragePage } from "./pages/storage";
import { SetupWizard } from "./setup/wizard";
import { isForOwners, useView, type View } from "./view";

type Place =
  | { kind: "start"; trouble?: Error }
  | { kind: "setup"; hostname: string }
  | { kind: "locked"; status: Status }
  | { kind: "older-copy"; status: Status; copy: OlderCopy }
  | { kind: "login"; hostname: string; loggedOut?: "by-you" | "by-box" }
  | { kind: "home"; user: User }
  | { kind: "power"; power: Power };

/** Decides what to show: the box's state first, then whether somebody is logged in. */
export function App() {
  const [place, setPlace] = useState<Place>({ kind: "start" });
  const [view, show] = useView();

  const start = useCallback(() => {
    setPlace({ kind: "start" });
    whereTo().then(setPlace, (trouble: Error) => setPlace({ kind: "start", trouble }));
  }, []);
  useEffect(start, [start]);

  const toLogin = useCallback(
    (loggedOut: "by-you" | "by-box") => {
      show({ page: "home" });
      setPlace((old) => ({ kind: "login", hostname: old.kind === "login" ? old.hostname : location.hostname, loggedOut }));
    },
    [show],
  );
  const onLoggedOut = useCallback(() => toLogin("by-box"), [toLogin]);
  const toHome = useCallback((user: User) => setPlace({ kind: "home", user }), []);

  // An entry of the browser's history may be from somebody else who was logged in.
  const shown: View = place.kind === "home" && isForOwners(view) && !isOwner(place.user) ? { page: "home" } : view;

  switch (place.kind) {
    case "start":
      return <StartPage {...(place.trouble ? { trouble: place.trouble } : {})} again={start} />;
    case "setup":
      return <SetupWizard hostname={place.hostname} onDone={toHome} onLogin={start} />;
    case "locked":
      return <LockedPage status={place.status} again={start} />;
    case "older-copy":
      return <OlderCopyPage status={place.status} copy={place.copy} again={start} />;
    case "login":
      return <LoginPage hostname={place.hostname} {...(place.loggedOut ? { loggedOut: place.loggedOut } : {})} onLogin={toHome} />;
    case "power":
      return <PowerPage start={place.power} onBack={start} />;
    case "home":
      switch (shown.page) {
        case "logs":
          return <LogsPage unit={shown.unit} onLoggedOut={onLoggedOut} onHome={() => show({ page: "home" })} />;
        case "network":
          return <NetworkPage user={place.user} onLoggedOut={onLoggedOut} onHome={() => show({ page: "home" })} />;
        case "storage":
          return <StoragePage user={place.user} onLoggedOut={onLoggedOut} onHome={() => show({ page: "home" })} />;
        case "backups":
          return <BackupsPage user={place.user} onLoggedOut={onLoggedOut} onHome={() => show({ page: "home" })} />;
        case "updates":
          return <UpdatesPage user={place.user} onLoggedOut={onLoggedOut} onHome={() => show({ page: "home" })} />;
        case "people":
          return <PeoplePage user={place.user} onLoggedOut={onLoggedOut} onHome={() => show({ page: "home" })} />;
        case "files":
          return <FilesPage user={place.user} onLoggedOut={onLoggedOut} onHome={() => show({ page: "home" })} />;
        case "apps":
          return (
            <AppsPage
              user={place.user}
              onLoggedOut={onLoggedOut}
              onHome={() => show({ page: "home" })}
              onApp={(key) => show({ page: "app", key })}
              onInstall={(dataOf) => show({ page: "install", ...(dataOf ? { dataOf } : {}) })}
            />
          );
        case "app":
          return (
            <AppPage
              key={shown.key}
              app={shown.key}
              onLoggedOut={onLoggedOut}
              onBack={() => show({ page: "apps" })}
              onInstall={(dataOf) => show({ page: "install", dataOf })}
            />
          );
        case "install":
          return (
            <InstallPage
              dataOf={shown.dataOf}
              isOwner={isOwner(place.user)}
              onLoggedOut={onLoggedOut}
              onBack={() => show({ page: "apps" })}
              onApp={(key) => show({ page: "app", key }, "instead")}
            />
          );
        case "account":
          return (
            <AccountPage user={place.user} onLoggedOut={onLoggedOut} onHome={() => show({ page: "home" })} onFiles={() => show({ page: "files" })} />
          );
        case "home":
          return (
            <HomePage
              user={place.user}
              onLoggedOut={toLogin}
              onLogs={(unit) => show({ page: "logs", unit })}
              onNetwork={() => show({ page: "network" })}
              onStorage={() => show({ page: "storage" })}
              onPeople={() => show({ page: "people" })}
              onBackups={() => show({ page: "backups" })}
              onUpdates={() => show({ page: "updates" })}
              onFiles={() => show({ page: "files" })}
              onApps={() => show({ page: "apps" })}
              onAccount={() => show({ page: "account" })}
              onPower={(kind) => setPlace({ kind: "power", power: startPower(kind) })}
            />
          );
      }
  }
}

async function whereTo(): Promise<Place> {
  const status = await api.status();
  if (status.state === "setup") return { kind: "setup", hostname: status.hostname || "hearth" };
  if (status.state === "locked") return { kind: "locked", status };
  if (status.rollback) return { kind: "older-copy", status, copy: status.rollback };
  try {
    return { kind: "home", user: (await api.session()).user };
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) return { kind: "login", hostname: status.hostname };
    if (error instanceof ApiError || error instanceof Unreachable) throw error;
    throw new Error("This page met something it does not know. Reload it.", { cause: error });
  }
}
