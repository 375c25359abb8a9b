/** What Haraka says at these levels is a failure, whoever says it (logger.js, DEFAULT format). */
const FAILURE = /^(?:\S+ )?\[(?:ERROR|CRIT|ALERT|EMERG)\]/
const DEATH = /worker \d+ (?:killed by signal|exited with error)/

/** Lines of a log of Haraka that may not be there in a run in which nothing fails. */
export function logFailures(log: string): string[] {
  return log.split('\n').filter((line) => FAILURE.test(line) || DEATH.test(line))
}
