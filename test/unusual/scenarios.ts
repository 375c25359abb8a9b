import { DAY, HOUR } from '../../src/reporting/calendar'
import type { RuleName } from '../../src/unusual/rule'
import type { HeaderFromMail, Mail } from '../support/reports'
import { days, NOW, Scenario, TODAY } from './scenario'

interface Takeover {
  readonly name: string
  readonly rule: RuleName
  /** Further rules that find it. */
  readonly also: readonly RuleName[]
  readonly words: string
  readonly build: () => Scenario
}

/** A school that sends on 40 days, today too. */
function school(): Scenario {
  return new Scenario().routine({ days: days(0, 40) }).connector('mx', { addedAt: NOW - 400 * DAY })
}

/** Twelve bounces in each hour of 40 days. */
function bouncing(scenario: Scenario): Scenario {
  const hours = days(0, 40).flatMap((day) =>
    Array.from({ length: 24 }, (_, hour) => TODAY - day * DAY + hour * HOUR),
  )
  const sent = hours.filter((at) => at < NOW)
  return scenario.send(...sent.map((at): Mail => ({ at, accepted: 12, class: 'null' })))
}

/** `count` mails to one recipient each, spread evenly over the hours from `from` on. */
function spread(count: number, from: number, hours: number, mail: Partial<Mail> = {}): Mail[] {
  return Array.from({ length: count }, (_, at) => ({
    at: from + (at % hours) * HOUR + at,
    accepted: 1,
    domain: 'lure.example',
    ...mail,
  }))
}

/** `count` recipients in each hour of a day. */
function hourly(day: number, count: number): Mail[] {
  return Array.from({ length: 24 }, (_, hour) => ({
    at: TODAY - day * DAY + hour * HOUR,
    accepted: count,
    domain: 'lure.example',
  }))
}

export const takeovers: readonly Takeover[] = [
  {
    name: 'a forgotten server',
    rule: 'quiet_days',
    also: [],
    words:
      '15 recipients of unregistered mail since 13:00 UTC on 2025-11-24, the first after 30 days without any',
    build: () =>
      new Scenario()
        .routine({ days: days(0, 40), forwarded: 0 })
        .routine({ days: days(35, 40) })
        .send(...spread(15, TODAY + 13 * HOUR, 3)),
  },
  {
    name: 'a spammer with random domains',
    rule: 'domains',
    also: ['volume'],
    words:
      '64 unregistered domains in the hour from 14:00 UTC; no hour of the seven days before had more than 4',
    build: () =>
      school().send(
        ...spread(60, TODAY + 14 * HOUR, 1).map((mail, at) => ({
          ...mail,
          domain: `x${at}.example`,
        })),
      ),
  },
  {
    name: 'a burst',
    rule: 'volume',
    also: [],
    words:
      '143 recipients of unregistered mail in the hour from 14:00 UTC, 131 of them from lure.example; the busiest hour of the seven days before had 12',
    build: () =>
      new Scenario()
        .routine({ days: days(0, 40), forwarded: 12 })
        .send({ at: TODAY + 14 * HOUR, accepted: 131, domain: 'lure.example' }),
  },
  {
    name: 'an intruder who is blocked, and goes on with a registered domain',
    rule: 'registered_volume',
    also: [],
    words:
      '540 recipients of registered mail in the hour from 14:00 UTC, after the restriction at 13:05 UTC; the busiest hour of the seven days before had 40',
    build() {
      const scenario = school()
      scenario.restrictedAt.push(TODAY + 13 * HOUR + 5 * 60_000)
      return scenario.send({ at: TODAY + 14 * HOUR, accepted: 500, class: 'registered' })
    },
  },
  {
    name: 'an intruder who is blocked, and goes on in the same hour',
    rule: 'registered_volume',
    also: [],
    words:
      '540 recipients of registered mail in the hour from 14:00 UTC, with the restriction in it, at 14:05 UTC; the busiest hour of the seven days before had 40',
    build() {
      const scenario = school()
      scenario.restrictedAt.push(TODAY + 14 * HOUR + 5 * 60_000)
      return scenario.send({ at: TODAY + 14 * HOUR, accepted: 500, class: 'registered' })
    },
  },
  {
    name: 'an intruder who sends as a bounce what is none',
    rule: 'null_volume',
    also: [],
    words:
      '242 recipients of mail with the null sender in the hour from 14:00 UTC; the busiest hour of the seven days before had 12',
    build: () => bouncing(school()).send({ at: TODAY + 14 * HOUR, accepted: 230, class: 'null' }),
  },
  {
    name: 'the same of a restricted tenant that has sent no bounces before',
    rule: 'null_volume',
    also: [],
    words:
      '30 recipients of mail with the null sender in the hour from 14:00 UTC; there were none in the seven days before',
    build: () => school().send({ at: TODAY + 14 * HOUR, accepted: 30, class: 'null' }),
  },
  {
    name: 'a connector of the intruder',
    rule: 'new_connector',
    also: [],
    words:
      '90 recipients of unregistered mail in 24 hours through contoso/new, added on 2025-11-23; all together 130 in 24 hours, where at most 40 recipients were usual',
    build: () =>
      school()
        .connector('new', { addedAt: TODAY - 2 * HOUR })
        .send(...spread(90, TODAY + 8 * HOUR, 7, { connector: 'contoso/new' })),
  },
  {
    name: 'an edited connector',
    rule: 'new_connector',
    also: [],
    words:
      '90 recipients of unregistered mail in 24 hours through contoso/edge, changed on 2025-11-23; all together 130 in 24 hours, where at most 40 recipients were usual',
    build: () =>
      school()
        .connector('edge', { addedAt: NOW - 400 * DAY, changedAt: TODAY - 2 * HOUR })
        .send(...spread(90, TODAY + 8 * HOUR, 7, { connector: 'contoso/edge' })),
  },
  {
    name: 'a stolen connection from another address',
    rule: 'new_source',
    also: [],
    words:
      '90 recipients of unregistered mail in 24 hours from address 203.0.113.66, not seen in the 30 days before; all together 130 in 24 hours, where at most 40 recipients were usual',
    build: () => school().send(...spread(90, TODAY + 8 * HOUR, 7, { ip: '203.0.113.66' })),
  },
  {
    name: 'a stolen password, used by a botnet',
    rule: 'new_source',
    also: [],
    words:
      '90 recipients of unregistered mail in 24 hours from AUTH user web, and 90 recipients of unregistered mail in 24 hours from 90 addresses such as 203.0.113.0, not seen in the 30 days before; all together 130 in 24 hours, where at most 40 recipients were usual',
    build: () =>
      school().send(
        ...spread(90, TODAY + 8 * HOUR, 7, { user: 'web' }).map((mail, at) => ({
          ...mail,
          ip: `203.0.113.${at}`,
        })),
      ),
  },
  {
    name: 'a leak that stays below the limit',
    rule: 'steady',
    also: [],
    words:
      'on 7 days of the last seven more than 60 % of the limit of 1500/1d: at least 1048 recipients on each of five days',
    build: () =>
      days(1, 40).reduce(
        (scenario, day) => scenario.send(...hourly(day, 42)),
        new Scenario().routine({ days: days(1, 40) }),
      ),
  },
  {
    name: 'a neighbour on the relay who sends through the wrong connector',
    rule: 'foreign',
    also: [],
    words:
      '37 recipients of mail from domains of other tenants in 24 hours, the most from news.fabrikam.com, which belongs to fabrikam; at most 7 a day in the seven days before. A wrong connector, or a takeover',
    build: () =>
      neighbours(days(0, 40)).send(
        ...spread(30, TODAY + 8 * HOUR, 7, { class: 'foreign', domain: 'news.fabrikam.com' }),
      ),
  },
  {
    name: 'an intruder who pretends to be others in the header From',
    rule: 'header_from',
    also: [],
    words:
      '30 of 60 registered messages that were looked at in 24 hours name no accepted domain in their From header (most often bank.example), against 3 of 1400 in the seven days before',
    build: () =>
      looked(
        days(1, 40),
        { looked: 200 },
        { days: [3, 4, 5], mismatched: { 'list.example': 1 } },
      ).look({
        ...{ at: NOW - HOUR, looked: 60, mismatched: { 'bank.example': 25, 'post.example': 5 } },
      }),
  },
]

/** A school whose people forward mail of a neighbour, up to seven recipients a day. */
function neighbours(of: readonly number[]): Scenario {
  return of.reduce(
    (scenario, day) =>
      scenario.send({
        at: TODAY - day * DAY + 9 * HOUR,
        accepted: 7 - (day % 3),
        ...{ class: 'foreign', domain: 'fabrikam.com' },
      }),
    new Scenario(),
  )
}

/** A school with checked header Froms on each day, mismatched ones on some. */
function looked(
  of: readonly number[],
  each: Omit<HeaderFromMail, 'at'>,
  more?: { days: readonly number[]; mismatched: Readonly<Record<string, number>> },
): Scenario {
  return of.reduce((scenario, day) => {
    const mismatched = more?.days.includes(day) ? { mismatched: more.mismatched } : {}
    return scenario.look({ at: TODAY - day * DAY + 10 * HOUR, ...each, ...mismatched })
  }, school())
}

export const innocents: readonly { name: string; build: () => Scenario }[] = [
  {
    name: 'a newsletter from a registered domain',
    build: () => school().send({ at: NOW - HOUR, accepted: 20_000, class: 'registered' }),
  },
  {
    name: 'a newsletter to a tenant many of whose people are absent',
    build: () => bouncing(school()).send({ at: NOW - HOUR, accepted: 40, class: 'null' }),
  },
  {
    name: 'a few bounces of a tenant that never had any',
    build: () => school().send({ at: NOW - HOUR, accepted: 19, class: 'null' }),
  },
  {
    name: 'the newsletter of each week, an hour after a restriction',
    build() {
      const scenario = school()
      scenario.restrictedAt.push(NOW - HOUR)
      return scenario.send(
        { at: NOW - 10 * 60_000, accepted: 20_000, class: 'registered' },
        { at: NOW - 7 * DAY + HOUR, accepted: 19_000, class: 'registered' },
      )
    },
  },
  {
    name: 'a newsletter of an agency each week, from its own domain and server',
    build: () =>
      days(0, 5).reduce(
        (scenario, week) =>
          scenario.send({
            at: NOW - week * 7 * DAY - 2 * HOUR,
            accepted: 250,
            domain: 'agency.example',
            ip: '198.51.100.7',
          }),
        school(),
      ),
  },
  {
    name: 'the day of a migration: another connector and another address take over what was there',
    build: () =>
      new Scenario()
        .routine({ days: days(1, 40), forwarded: 12 })
        .routine({
          days: [0],
          forwarded: 12,
          source: { connector: 'contoso/new', ip: '198.51.100.9' },
        })
        .connector('mx', { addedAt: NOW - 400 * DAY })
        .connector('new', { addedAt: TODAY + 7 * HOUR }),
  },
  {
    name: 'a queue flushed after an outage of five hours',
    build() {
      const scenario = new Scenario().routine({ days: days(0, 40), forwarded: 12 })
      const from = TODAY + 9 * HOUR
      const to = TODAY + 14 * HOUR
      const held = scenario.mails.filter(({ at }) => at >= from && at < to)
      return scenario.outage(from, to).send(...held.map((mail) => ({ ...mail, at: to + 60_000 })))
    },
  },
  {
    name: 'a site that forwards mail from forty domains an hour',
    build: () => new Scenario().routine({ days: days(0, 40), forwarded: 40 }),
  },
  {
    name: 'a site whose address is another one each day',
    build: () =>
      days(0, 40).reduce(
        (scenario, day) =>
          scenario.routine({ days: [day], forwarded: 12, source: { ip: `198.51.100.${day}` } }),
        new Scenario(),
      ),
  },
  {
    name: 'one forwarded mail after a long time without any',
    build: () =>
      new Scenario()
        .routine({ days: days(0, 40), forwarded: 0 })
        .send({ at: NOW - HOUR, accepted: 1 }),
  },
  {
    name: 'a new connector with little mail',
    build: () =>
      school()
        .connector('printer', { addedAt: TODAY })
        .send(...spread(10, TODAY + 8 * HOUR, 7, { connector: 'contoso/printer' })),
  },
  {
    name: 'much mail on four days of seven',
    build: () =>
      days(1, 40)
        .filter((day) => day % 7 < 4)
        .reduce((scenario, day) => scenario.send(...hourly(day, 50)), new Scenario()),
  },
  {
    name: 'a site whose people forward mail of neighbours on the relay every day',
    build: () =>
      days(0, 40).reduce(
        (scenario, day) =>
          scenario.send({
            ...{ at: TODAY - day * DAY + 9 * HOUR, accepted: 60 + (day % 7) },
            ...{ class: 'foreign', domain: 'fabrikam.com' },
          }),
        new Scenario(),
      ),
  },
  {
    name: 'a tenant that uses proven forwards from any number of domains',
    build: () =>
      school().send(
        ...spread(1000, TODAY + 14 * HOUR, 1, { class: 'forwarded' }).map((mail, at) => ({
          ...mail,
          ...{ domain: `x${at}.example`, ip: `203.0.113.${at % 250}` },
        })),
      ),
  },
  {
    name: 'a list server, whose header From is that of its authors, on a busy day',
    build: () =>
      looked(days(1, 40), { looked: 50, mismatched: { 'author.example': 40 } }).look({
        ...{ at: NOW - HOUR, looked: 300, mismatched: { 'author.example': 240 } },
      }),
  },
  {
    name: 'a list that writes once a week',
    build: () =>
      looked(
        days(1, 40),
        { looked: 50 },
        { days: [7, 14], mismatched: { 'author.example': 40 } },
      ).look({
        ...{ at: NOW - HOUR, looked: 60, mismatched: { 'author.example': 42 } },
      }),
  },
  {
    name: 'a few messages with another header From',
    build: () =>
      looked(days(1, 40), { looked: 5 }).look({
        ...{ at: NOW - HOUR, looked: 4, mismatched: { 'bank.example': 4 } },
      }),
  },
  {
    name: 'a list server on the first day on which the header From is looked at',
    build: () =>
      school().look({ at: NOW - HOUR, looked: 50, mismatched: { 'author.example': 40 } }),
  },
]
