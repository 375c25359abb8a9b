import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { NOTHING } from '../../src/reporting/counts'
import { OTHER } from '../../src/reporting/rows'
import {
  stepsFor,
  type ConnectorFlow,
  type IncidentFacts,
} from '../../src/operations/incident-steps'

const QUIET: IncidentFacts = {
  tenant: 'contoso',
  restricted: true,
  case: { name: 'contoso:3', open: ['domains', 'proof'], closed: false },
  flows: [],
  lately: 0,
  queued: new Map(),
  own: [],
  limits: [{ count: 300, window: 3_600_000, defer: false }],
}

function flow(
  value: string,
  share: number,
  more: Partial<ConnectorFlow> & { passed?: number } = {},
): ConnectorFlow {
  const { passed = 0, ...rest } = more
  return {
    ...{ value, share, messages: 59, recipients: 293, stopped: undefined },
    registered: { ...NOTHING, messages: { ...NOTHING.messages, accepted: passed } },
    ...rest,
  }
}

function commands(facts: Partial<IncidentFacts>): string[] {
  return stepsFor({ ...QUIET, ...facts }).map(({ command }) => command)
}

const LAST = [
  'tenantctl case check contoso:3 domains proof --note …',
  "tenantctl unblock contoso --reason 'case contoso:3' --limits 60/1h --for 7d",
]

describe('the steps of an incident', () => {
  it('stop what goes on, clean up, register, check and lift, in this order', () => {
    assert.deepEqual(
      commands({
        flows: [flow('contoso/web', 0.97), flow('contoso/exchange', 0.03)],
        queued: new Map([['contoso/web', { messages: 4, recipients: 9 }]]),
        own: ['contoso.de', 'contoso.fr'],
      }),
      [
        "tenantctl connector block contoso web --reason 'case contoso:3'",
        'tenantctl queue contoso drop --where connector=web',
        'tenantctl domain add contoso contoso.de contoso.fr',
        ...LAST,
      ],
    )
  })

  it('propose to stop no connector with a small share, none that is stopped, and no sum of several', () => {
    const flows = [
      flow('contoso/web', 0.24),
      flow('contoso/old', 0.3, { stopped: 'blocked' }),
      flow('', 0.4),
      flow(OTHER, 0.5),
    ]
    assert.deepEqual(commands({ flows }), LAST)
  })

  it('say what else stops with a connector', () => {
    const [stop] = stepsFor({ ...QUIET, flows: [flow('contoso/web', 0.6, { passed: 12 })] })
    assert.equal(
      stop!.why,
      '60 % of the unregistered recipients came through it (59 messages for 293 recipients); its registered mail stops too (12 messages in the last two hours)',
    )
  })

  it('warn of an unblock while it goes on', () => {
    const steps = stepsFor({ ...QUIET, lately: 14 })
    assert.equal(
      steps.at(-1)!.why,
      'not yet: it goes on, 14 unregistered recipients in the last 5 minutes',
    )
  })

  it('propose no probation below a limit of five, and none of unlimited', () => {
    const small = [{ count: 4, window: 3_600_000, defer: false }]
    for (const limits of [small, []]) {
      assert.equal(
        commands({ limits }).at(-1),
        "tenantctl unblock contoso --reason 'case contoso:3'",
      )
    }
  })

  it('close the case once its restriction is lifted, and leave a closed one alone', () => {
    const open = { name: 'contoso:3', open: [], closed: false }
    assert.deepEqual(commands({ restricted: false, case: open }), [
      'tenantctl case close contoso:3',
    ])
    assert.deepEqual(commands({ restricted: false, case: { ...open, closed: true } }), [])
  })

  it('quote what a shell would read otherwise', () => {
    const [command] = commands({ own: ["it's.example"] })
    assert.equal(command, "tenantctl domain add contoso 'it'\\''s.example'")
  })
})
