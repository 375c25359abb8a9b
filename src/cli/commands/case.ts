import type { Command } from 'commander'
import { openSteps, STEP_WORDS, STEPS, type Step } from '../../cases/case'
import { Cases } from '../../cases/cases'
import { findingsOf } from '../../cases/findings'
import { InputError } from '../../base/errors'
import {
  checkCase,
  closeCase,
  noteCase,
  releaseCase,
  takeCase,
} from '../../operations/work-on-case'
import { serverTime } from '../../store/server-clock'
import { assertTenantId } from '../../mail/identities'
import { shortTime } from '../../base/time'
import { acceptedText } from '../kit/actor'
import { printCase, printKnown, stateOf } from '../views/case-print'
import { caseView, findingsView, takenView } from '../views/case'
import { allRows } from '../kit/all-rows'
import { contextOf } from '../kit/context'
import type { Io } from '../kit/io'
import { groupManual, manual } from '../kit/manual'

const NO_CASE = { 3: 'no such case, or no such tenant' }
const NAMED = 'such as contoso:3; a tenant alone: its latest case'
const FIELDS = [
  'case (tenant:number), tenant, state: open | closed, opened, by (automatic for a trip), reason',
  'scope: unregistered | all; event: id of the alert; on_probation: it tripped within probation',
  'trigger: null, or {window, limit, used, domain, connector, ip}',
  'checklist: array of {step, at, by, text}; at is null where it is not ticked; open_steps: those',
  'taken: null, or {at, by}: who is on it',
  'notes: array of {at, by, text}; lifted, closed: null, or {at, by, text}; text may be empty',
  'probation: null, or {limits, until}: what it was lifted into',
]

/** `tenantctl case list | show | take | release | note | check | close` */
export function add(program: Command, io: Io): void {
  const command = program
    .command('case')
    .description('cases: what a restriction opens, and what is done before it is lifted')
  groupManual(command, [
    'case list',
    'case show contoso:3',
    'case take contoso:3',
    'case note contoso:3 "called their admin"',
    'case check contoso:3 connectors servers --note "queue cleaned, passwords changed"',
    'case close contoso:3 --note "newsletter, now registered"',
  ])
  addList(command, io)
  addShow(command, io)
  addTake(command, io)
  addRelease(command, io)
  addNote(command, io)
  addCheck(command, io)
  addClose(command, io)
}

function addList(parent: Command, io: Io): void {
  const command = parent
    .command('list')
    .description('open cases, the newest first')
    .argument('[tenant]', 'also one that has been removed')
    .addOption(allRows('also closed ones, and all rows on a terminal'))
    .action(async (tenant: string | undefined, options: { all?: boolean }, self: Command) => {
      const context = contextOf(io, self)
      const { out } = context
      if (tenant !== undefined) assertTenantId(tenant)
      await context.connected(async (store) => {
        const found = await new Cases(store).list(tenant)
        const cases = options.all ? found : found.filter(({ closed }) => !closed)
        out.result(cases.map(caseView), () => {
          out.table(
            ['CASE', 'OPENED', 'STATE', 'TAKEN BY', 'BY', 'NOT TICKED', 'REASON'],
            cases.map((each) => [
              each.name,
              shortTime(each.opened),
              stateOf(each),
              each.taken?.by ?? '',
              each.by,
              openSteps(each).join(', '),
              each.reason,
            ]),
            options.all ? 'no cases' : 'no open cases; closed ones: tenantctl case list --all',
          )
        })
      })
    })
  manual(command, {
    examples: ['case list', 'case list contoso --all', "case list --json | jq -r '.[].case'"],
    json: ['an array of:', ...FIELDS],
  })
}

function addShow(parent: Command, io: Io): void {
  const command = parent
    .command('show')
    .description('a case, its checklist, and the recorded facts for each step')
    .argument('<case>', NAMED)
    .action(async (given: string, _options: object, self: Command) => {
      const context = contextOf(io, self)
      const { out } = context
      await context.connected(async (store) => {
        const cases = new Cases(store)
        const shown = await cases.existing(await cases.nameOf(given))
        const findings = await findingsOf(store, shown, await serverTime(store.client))
        out.result({ ...caseView(shown), known: findingsView(findings) }, () =>
          printCase(out, shown, findings),
        )
      })
    })
  manual(command, {
    examples: [
      'case show contoso',
      'case show contoso:3',
      "case show contoso:3 --json | jq '.known'",
    ],
    json: [
      ...FIELDS,
      'known: unexplained_domains: array of {domain, accepted}: mail was accepted from them, and they are not registered',
      'known: foreign_domains: array of {domain, owner, recipients}: domains of other tenants; header_from: as in tenantctl report',
      'known: connectors_to_review: array of {connector, why}; ips: array of {ip, recipients}; users: array of {user, recipients}',
    ],
    exit: NO_CASE,
  })
}

function addTake(parent: Command, io: Io): void {
  const command = parent
    .command('take')
    .description('say that you are on a case, so that no other person begins; closing it ends that')
    .argument('<case>', NAMED)
    .option('--force', 'take it over from another person')
    .action(async (given: string, options: { force?: boolean }, self: Command) => {
      const context = contextOf(io, self)
      const { by, out } = context
      await context.writing(async (store) => {
        const { result, before, case: name } = await takeCase(store, given, by, options.force)
        const { taken } = await new Cases(store).existing(name)
        const from = result === 'taken' ? (before?.by ?? null) : null
        out.result({ result, case: name, taken: takenView(taken), from }, () => {
          const over = from === null ? '' : `, taken over from ${from}`
          out.line(`${by} is on case ${name}${result === 'unchanged' ? ' already' : over}`)
        })
      })
    })
  manual(command, {
    examples: ['case take contoso', 'case take contoso:3 --force'],
    json: [
      'result: taken | unchanged; case; taken: {at, by}',
      'from: null, or who was on it before',
    ],
    exit: { ...NO_CASE, 4: 'another person is on it (see --force), or it is closed' },
  })
}

function addRelease(parent: Command, io: Io): void {
  const command = parent
    .command('release')
    .description('say that no person is on a case any more')
    .argument('<case>', NAMED)
    .action(async (given: string, _options: object, self: Command) => {
      const context = contextOf(io, self)
      const { out } = context
      await context.writing(async (store) => {
        const { result, before, case: name } = await releaseCase(store, given)
        out.result({ result, case: name, from: before?.by ?? null }, () =>
          out.line(
            before ? `${before.by} is no longer on case ${name}` : `no person is on case ${name}`,
          ),
        )
      })
    })
  manual(command, {
    examples: ['case release contoso:3'],
    json: ['result: released | unchanged; case', 'from: null, or who was on it'],
    exit: { ...NO_CASE, 4: 'it is closed' },
  })
}

function addNote(parent: Command, io: Io): void {
  const command = parent
    .command('note')
    .description('add a note to a case')
    .argument('<case>', NAMED)
    .argument('<text>', 'one line')
    .action(async (given: string, text: string, _options: object, self: Command) => {
      const context = contextOf(io, self)
      const { by, out } = context
      const note = acceptedText('a note', text)
      await context.writing(async (store) => {
        const { result, case: name } = await noteCase(store, given, { by, text: note })
        out.result({ result, case: name }, () => out.line(`noted in case ${name}`))
      })
    })
  manual(command, {
    examples: ['case note contoso:3 "called their admin, waits for the password change"'],
    json: ['result: noted', 'case'],
    exit: { ...NO_CASE, 4: 'it has 100 notes' },
  })
}

function addCheck(parent: Command, io: Io): void {
  const command = parent
    .command('check')
    .description('tick steps of the checklist; their earlier notes are replaced')
    .argument('<case>', NAMED)
    .argument('<step...>', STEPS.join(', '))
    .requiredOption('--note <text>', 'what was found, or done (required): one line')
    .action(async (given: string, texts: string[], options: { note: string }, self: Command) => {
      const context = contextOf(io, self)
      const { by, out } = context
      const steps = [...new Set(texts.map(acceptedStep))]
      const text = acceptedText('--note', options.note)
      await context.writing(async (store) => {
        const checked = await checkCase(store, given, steps, { by, text })
        const { result, ticked, left, case: name } = checked
        const findings = await findingsOf(store, ticked, await serverTime(store.client))
        const view = { result, case: name, step: steps[0], steps, open_steps: left }
        out.result({ ...view, known: findingsView(findings) }, () => {
          out.line(
            `${result === 'checked' ? 'ticked' : 'ticked already:'} ${steps.join(', ')} of case ${name}; ${left.length === 0 ? 'all four are done' : `left: ${left.join(', ')}`}`,
          )
          for (const step of steps) printKnown(out, step, ticked, findings)
        })
      })
    })
  manual(command, {
    examples: [
      ...STEPS.map(
        (step) =>
          `case check contoso:3 ${step} --note "…"${' '.repeat(12 - step.length)}# ${STEP_WORDS[step]}`,
      ),
      `case check contoso ${STEPS.join(' ')} --note "…"`,
    ],
    json: [
      'result: checked | unchanged',
      'case; steps: all that were given; step: the first of them',
      'open_steps: those that are not ticked',
      'known: as in case show',
    ],
    exit: { ...NO_CASE, 4: 'it is closed' },
  })
}

function addClose(parent: Command, io: Io): void {
  const command = parent
    .command('close')
    .description('close a case: its evidence goes after 30 days, its record after 365')
    .argument('<case>', NAMED)
    .option('--note <text>', 'what it was: one line')
    .action(async (given: string, options: { note?: string }, self: Command) => {
      const context = contextOf(io, self)
      const { by, out } = context
      const text = options.note === undefined ? '' : acceptedText('--note', options.note)
      await context.writing(async (store) => {
        const { result, case: name } = await closeCase(store, given, { by, text })
        out.result({ result, case: name }, () =>
          out.line(
            result === 'closed'
              ? `closed case ${name}; its evidence is kept for 30 days, its record for 365`
              : `case ${name} is closed already`,
          ),
        )
      })
    })
  manual(command, {
    examples: ['case close contoso:3', 'case close contoso:3 --note "web form abused, fixed"'],
    json: ['result: closed | unchanged', 'case'],
    exit: { ...NO_CASE, 4: 'the tenant is still restricted by it (unblock it first)' },
  })
}

/** @throws {InputError} */
function acceptedStep(text: string): Step {
  const step = STEPS.find((each) => each === text)
  if (step) return step
  throw new InputError(`"${text}" is not a step: give ${STEPS.join(', ')}`)
}
