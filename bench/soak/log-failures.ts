/** What Haraka says at these levels is a failure, whoever says it (logger.js, DEFAULT format). */
const FAILURE = /^(?:\S+ )?\[(?:ERROR|CRIT|ALERT|EMERG)\]/
const DEATH = /worker \d+ (?:killed by signal|exited with error)/

/** Lines of a log of Haraka that may not be there in a run in which nothing fails. */
export function logFailures(log: string): string[] {
  return log.split('\n').filter(isFailure)
}

/** Whether a line of a log of Haraka may not be there in a run in which nothing fails. */
export function isFailure(line: string): boolean {
  return FAILURE.test(line) || DEATH.test(line)
}
