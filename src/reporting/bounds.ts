import { KNOWN_CLASSES, LOOKED_CLASSES, SOURCE_CLASSES } from '../mail/classes'
import { DAY, HOUR, MINUTE } from './calendar'

/**
 * Bounds that keep reports from filling Redis, or the memory of a process. For each tenant and hour, and for each tenant
 * and day, `lua/record.lua` makes
 *
 * - rows of their own for the first 100 domains, 50 addresses and 50 AUTH users, 250 rows in all;
 * - then one row for each domain of these and connector, up to 350 rows in all;
 * - then one row for each connector, up to 450 rows in all;
 * - then one row for the rest of each class.
 *
 * All classes counted by source share these. A class whose mail comes from everywhere gets half of each, so that it
 * leaves room for the others.
 */
export const MOST_DOMAINS = 100
export const MOST_ADDRESSES = 50
export const MOST_USERS = 50
export const MOST_ROWS = 250
export const MOST_DOMAIN_ROWS = 350
export const MOST_CONNECTOR_ROWS = 450

/** Foreign domains of a tenant and day whose owner is kept, apart from the rows above; then one row for the rest. */
export const MOST_OWNED = 50

/**
 * Rows of domains in the header From, by connector, for each tenant, day and checked class: the first 40 of their own,
 * then one for each connector up to 50 rows in all, then one for the rest.
 */
export const MOST_HEADER_FROM = 40
export const MOST_HEADER_FROM_ROWS = 50

/** Sampled sources of a tenant and day, and samples of each. */
export const MOST_SAMPLED = 100
export const MOST_SAMPLES = 3

/** Connectors of a tenant whose use is recorded. */
export const MOST_CONNECTORS = 1000

/**
 * Rows of the minutes of a tenant and hour: one for each class and connector, then one for the rest of each class.
 */
export const MOST_MINUTE_ROWS = 50

/** Rows of mail without a tenant, a day. */
export const MOST_UNATTRIBUTED = 1000

/**
 * Members a day of the index of what mail of all tenants has shown: 144 octets of Redis each as they usually are, 270 at most.
 * What comes later that day is not found.
 */
export const MOST_INDEXED = 100_000

/** Longest texts that clients choose, in octets; longer ones are cut. */
export const LONGEST_USER = 128
export const LONGEST_MESSAGE_ID = 128
export const LONGEST_HELO = 64
export const LONGEST_CERTIFICATE = 253
export const LONGEST_DOMAIN = 253

/** How long hourly rows are kept, in days. */
export const HOURS_KEPT = 8
/** How long minutes are kept, in ms. */
export const MINUTES_KEPT = 2 * HOUR
/** Maximum of `[report] days`, which is how long daily rows are kept. */
export const MOST_DAYS_KEPT = 3650
/** How long the last use of a connector is kept, in days. */
const SEEN_KEPT = 365

/** The same in ms, for the scripts. */
export const HOURS_TTL = HOURS_KEPT * DAY
export const SEEN_TTL = SEEN_KEPT * DAY
/** An hour more, so that the minutes after a restriction are there when they are added to its evidence. */
export const MINUTES_TTL = MINUTES_KEPT + HOUR
/** In ms; one day more, so that a day is complete until its last hour is `days` old. */
export function daysTtl(days: number): number {
  return (days + 1) * DAY
}

/** Rows of one batch in a process, limited as above but only by their number. */
export const BATCH_ROWS = 500
export const BATCH_DOMAIN_ROWS = 700
export const BATCH_CONNECTOR_ROWS = 900
/** Domains without their own row whose names a batch keeps, for the estimate of their number. */
export const BATCH_NAMES = 2000
/** Foreign domains with their owner, and domains in the header From, of one batch. */
export const BATCH_OWNED = 100
export const BATCH_HEADER_FROM = 100
/** Connectors of each class that is not counted by source, of one batch. */
export const BATCH_TOTALS = 50
/** Rows, names and samples of all batches of a process; new ones beyond that count as `(other)`. */
export const MOST_ENTRIES = 30_000
/** Batches of a process; mail of further tenants is not recorded. */
export const MOST_BATCHES = 10_000

/** Most bytes of Redis for a row, with its field name, Redis's overhead and the rounding of its allocator; then likewise. */
const ROW_BYTES = 900
const SHORT_ROW_BYTES = 650
const SAMPLED_BYTES = 1600
const CONNECTOR_BYTES = 250
const OTHERS_BYTES = 12_600
const OWNED_BYTES = 600
const HEADER_FROM_BYTES = 550
/** A class and connector in 60 minutes. */
const MINUTE_ROW_BYTES = 250 + (HOUR / MINUTE) * 40
/** Totals of all classes, and of checked header Froms. */
const TOTALS_BYTES = 24 * (KNOWN_CLASSES.length * 250 + LOOKED_CLASSES.length * 100)
const FLUSHES_BYTES = 20_000

const REPORT_BYTES =
  MOST_ROWS * ROW_BYTES +
  (MOST_CONNECTOR_ROWS + SOURCE_CLASSES.length - MOST_ROWS) * SHORT_ROW_BYTES +
  OTHERS_BYTES
const MINUTES_BYTES =
  (MOST_MINUTE_ROWS + KNOWN_CLASSES.length) * MINUTE_ROW_BYTES * (MINUTES_TTL / HOUR + 1)
const OWNED_AND_HEADER_FROM_BYTES =
  (MOST_OWNED + 1) * OWNED_BYTES +
  LOOKED_CLASSES.length * (MOST_HEADER_FROM_ROWS + 1) * HEADER_FROM_BYTES

/**
 * Most bytes that the reports of one tenant take in Redis: all bounds reached in every hour and day, all names of
 * maximum length.
 *
 * @param hours number of hours with mail that are kept.
 * @param days likewise; at most `[report] days` + 1.
 */
export function mostBytes(hours: number, days: number): number {
  return (
    hours * REPORT_BYTES +
    days *
      (REPORT_BYTES + TOTALS_BYTES + OWNED_AND_HEADER_FROM_BYTES + MOST_SAMPLED * SAMPLED_BYTES) +
    MOST_CONNECTORS * CONNECTOR_BYTES +
    MINUTES_BYTES +
    FLUSHES_BYTES
  )
}
