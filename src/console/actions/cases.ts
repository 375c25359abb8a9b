import { tenantctl } from '../../base/command-line'
import { InputError } from '../../base/errors'
import { parseCaseName, STEPS, type Step } from '../../cases/case'
import {
  checkCase,
  closeCase,
  noteCase,
  releaseCase,
  takeCase,
} from '../../operations/work-on-case'
import type { Action, Form } from '../kit/action'
import { noteIn } from './texts'

interface OfCase {
  readonly name: string
}

const subject = ({ name }: OfCase): string => parseCaseName(name).tenant

export const TAKE: Action<OfCase & { readonly force: boolean }> = {
  path: '/cases/:case/take',
  operation: takeCase,
  subject,
  read: (form, params) => ({ ...caseIn(params), force: form.isOn('force') }),
  command: ({ name, force }) => tenantctl('case', 'take', name, ...(force ? ['--force'] : [])),
  async run(store, by, { name, force }) {
    const { result, before } = await takeCase(store, name, by, force)
    if (result === 'unchanged') return { tone: 'good', lines: [`you are on case ${name} already`] }
    const from = before ? `, taken over from ${before.by}` : ''
    return { tone: 'good', lines: [`you are on case ${name}${from}`] }
  },
}

export const RELEASE: Action<OfCase> = {
  path: '/cases/:case/release',
  operation: releaseCase,
  subject,
  read: (_form, params) => caseIn(params),
  command: ({ name }) => tenantctl('case', 'release', name),
  async run(store, _by, { name }) {
    const { before } = await releaseCase(store, name)
    const line = before
      ? `${before.by} is no longer on case ${name}`
      : `no person is on case ${name}`
    return { tone: 'good', lines: [line] }
  },
}

export const NOTE: Action<OfCase & { readonly text: string }> = {
  path: '/cases/:case/note',
  operation: noteCase,
  read: (form, params) => ({ ...caseIn(params), text: noteIn(form) }),
  command: ({ name, text }) => tenantctl('case', 'note', name, text),
  async run(store, by, { name, text }) {
    await noteCase(store, name, { by, text })
    return { tone: 'good', lines: [`noted in case ${name}`] }
  },
}

export const CHECK: Action<OfCase & { readonly steps: readonly Step[]; readonly text: string }> = {
  path: '/cases/:case/check',
  operation: checkCase,
  subject,
  read: (form, params) => ({ ...caseIn(params), steps: stepsIn(form), text: noteIn(form) }),
  command: ({ name, steps, text }) => tenantctl('case', 'check', name, ...steps, '--note', text),
  async run(store, by, { name, steps, text }) {
    const { result, left } = await checkCase(store, name, steps, { by, text })
    const rest = left.length === 0 ? 'all four are done' : `left: ${left.join(', ')}`
    const done = result === 'checked' ? 'ticked' : 'ticked already:'
    return { tone: 'good', lines: [`${done} ${steps.join(', ')} of case ${name}; ${rest}`] }
  },
}

export const CLOSE: Action<OfCase & { readonly text: string }> = {
  path: '/cases/:case/close',
  operation: closeCase,
  subject,
  read: (form, params) => ({
    ...caseIn(params),
    text: form.text('note') === '' ? '' : noteIn(form),
  }),
  command: ({ name, text }) =>
    tenantctl('case', 'close', name, ...(text === '' ? [] : ['--note', text])),
  async run(store, by, { name, text }) {
    const { result } = await closeCase(store, name, { by, text })
    const line =
      result === 'closed'
        ? `closed case ${name}; its evidence is kept for 30 days, its record for 365`
        : `case ${name} is closed already`
    return { tone: 'good', lines: [line] }
  },
}

/** @throws {InputError} not the name of a case. */
function caseIn({ case: name = '' }: Readonly<Record<string, string>>): OfCase {
  parseCaseName(name)
  return { name }
}

/** @throws {InputError} */
function stepsIn(form: Form): Step[] {
  const given = form.all('step')
  const steps = STEPS.filter((each) => given.includes(each))
  if (steps.length > 0 && steps.length === given.length) return steps
  throw new InputError(`choose steps of the checklist: ${STEPS.join(', ')}`)
}
