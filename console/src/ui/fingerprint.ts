import { useEffect, useState } from "preact/hooks";
import { api } from "../api/client";
import { fingerprint } from "../logic/fingerprint";

/** The certificate authority's fingerprint, or why there is none to show. */
export function useFingerprint(): string | Error | undefined {
  const [print, setPrint] = useState<string | Error>();
  useEffect(() => {
    api.certificate().then(fingerprint).then(setPrint, setPrint);
  }, []);
  return print;
}
