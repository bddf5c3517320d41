import { ApiError } from "../api/client";

/** What to tell people of a change or question that failed. */
export function explainFailure(error: unknown): string {
  if (error instanceof ApiError) return error.message;
  return "The box did not answer. If a change cut the connection, wait a minute: the box then goes back by itself.";
}
