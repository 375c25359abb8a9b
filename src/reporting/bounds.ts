import { KNOWN_CLASSES, LOOKED_CLASSES, SOURCE_CLASSES } from '../mail/classes'
import { DAY } from './calendar'

/**
 * What keeps reports from filling Redis, or the memory of a process. For one tenant and hour, and for one tenant and day
 * alike, `lua/record.lua` makes
 *
 * - rows of their own for the first 100 domains, 50 addresses and 50 AUTH users, 250 rows in all;
 * - then one row for each domain of these and connector, up to 350 rows in all;
 * - then one row for each connector, up to 450 rows in all;
 * - then one row for all the rest of each class.
 *
 * All classes that are told apart by source share these. A class that comes from everywhere has half of each: it must not
 * crowd out what nobody can explain.
 */
export const MOST_DOMAINS = 100
export const MOST_ADDRESSES = 50
export const MOST_USERS = 50
export const MOST_ROWS = 250
export const MOST_DOMAIN_ROWS = 350
export const MOST_CONNECTOR_ROWS = 450

/**
 * Foreign domains of a tenant and day of which it is kept who owned them, whatever else the rows are full of; then one row
 * for all the rest.
 */
export const MOST_OWNED = 50

/**
 * Rows of domains in the header From of a tenant and day, of registered mail and of the null sender's each, by connector: the first 40 of their own, then one for each
 * connector up to 50 rows in all, then one for all the rest.
 */
export const MOST_HEADER_FROM = 40
export const MOST_HEADER_FROM_ROWS = 50

/** Sources of a tenant and day that samples are kept of, and samples of each. */
export const MOST_SAMPLED = 100
export const MOST_SAMPLES = 3

/** Connectors of a tenant of which is kept when they were used. */
export const MOST_CONNECTORS = 1000

/** Rows of mail without a tenant, a day. */
export const MOST_UNATTRIBUTED = 1000

/** Octets of what a client may choose freely; longer ones are cut. */
export const LONGEST_USER = 128
export const LONGEST_MESSAGE_ID = 128
export const LONGEST_HELO = 64
export const LONGEST_CERTIFICATE = 253
export const LONGEST_DOMAIN = 253

/** How long rows by the hour are kept, in days. */
export const HOURS_KEPT = 8
/** The most that `[report] days` takes: for so long rows by the day may be kept. */
export const MOST_DAYS_KEPT = 3650
/** How long it is kept when a connector was used last, in days. */
const SEEN_KEPT = 365

/** The first part of the table above, as the scripts take it. */
export const HOURS_TTL = HOURS_KEPT * DAY
export const SEEN_TTL = SEEN_KEPT * DAY
/** So that a day is there as a whole until its last hour is `days` old. */
export function daysTtl(days: number): number {
  return (days + 1) * DAY
}

/** Rows, names and samples of one batch in a process, as above but by their number alone. */
export const BATCH_ROWS = 500
export const BATCH_DOMAIN_ROWS = 700
export const BATCH_CONNECTOR_ROWS = 900
/** Domains without a row of their own of which a batch remembers the name: beyond, they are not told apart. */
export const BATCH_NAMES = 2000
/** Foreign domains with their owner, and domains in the header From, of one batch. */
export const BATCH_OWNED = 100
export const BATCH_HEADER_FROM = 100
/** Rows, names and samples of all batches of a process: beyond, what is new counts as `(other)`. */
export const MOST_ENTRIES = 30_000
/** Batches of a process: beyond, mail of a tenant that has none is not recorded. */
export const MOST_BATCHES = 10_000

/**
 * The bytes of Redis that a row, a sampled source, a connector and a HyperLogLog take at most, each with its field, Redis's
 * own overhead, and what its allocator rounds up.
 */
const ROW_BYTES = 900
const SHORT_ROW_BYTES = 650
const SAMPLED_BYTES = 1600
const CONNECTOR_BYTES = 250
const OTHERS_BYTES = 12_600
const OWNED_BYTES = 600
const HEADER_FROM_BYTES = 550
/** Of all classes, and what was looked at of the header From. */
const TOTALS_BYTES = 24 * (KNOWN_CLASSES.length * 250 + LOOKED_CLASSES.length * 100)
const FLUSHES_BYTES = 20_000

const REPORT_BYTES =
  MOST_ROWS * ROW_BYTES +
  (MOST_CONNECTOR_ROWS + SOURCE_CLASSES.length - MOST_ROWS) * SHORT_ROW_BYTES +
  OTHERS_BYTES
const OWNED_AND_HEADER_FROM_BYTES =
  (MOST_OWNED + 1) * OWNED_BYTES +
  LOOKED_CLASSES.length * (MOST_HEADER_FROM_ROWS + 1) * HEADER_FROM_BYTES

/**
 * What the reports of one tenant take in Redis at most, in bytes: with every bound reached in every hour and every day by
 * names of the greatest length.
 *
 * @param hours how many of them are kept, with mail.
 * @param days as `hours`; one more than `[report] days` at most.
 */
export function mostBytes(hours: number, days: number): number {
  return (
    hours * REPORT_BYTES +
    days *
      (REPORT_BYTES + TOTALS_BYTES + OWNED_AND_HEADER_FROM_BYTES + MOST_SAMPLED * SAMPLED_BYTES) +
    MOST_CONNECTORS * CONNECTOR_BYTES +
    FLUSHES_BYTES
  )
}
