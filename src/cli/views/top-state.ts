import type { TopTenant } from '../../operations/top'
import { firstForecastOf, fullestWindow } from '../../operations/status'
import { shareOf } from '../../allowance/usage'
import type { Pressed } from '../kit/screen'
import { byText, type Orders } from '../kit/tenant-choice'

const LAST = Number.MAX_SAFE_INTEGER

/** By what the list is sorted: `s` goes to the next one. */
export const ORDERS = {
  'unreg/min': (a, b) => b.pace.unregistered - a.pace.unregistered,
  'refused/min': (a, b) => b.pace.refused - a.pace.refused,
  used: (a, b) => highest(b) - highest(a),
  'restricted in': (a, b) => restrictedAt(a) - restrictedAt(b),
  tenant: (a, b) => byText(a.status.tenant.id, b.status.tenant.id),
} as const satisfies Orders<string, TopTenant>

export type Order = keyof typeof ORDERS
const NAMES = Object.keys(ORDERS) as Order[]

/** What a person has chosen on the screen. */
export interface TopState {
  readonly order: Order
  /** Only tenants whose id contains it. */
  readonly filter: string
  /** A filter is being typed. */
  readonly typing: boolean
  /** Id of the marked tenant; `undefined`: the first one. */
  readonly selected: string | undefined
  /** Id of the tenant whose sources are shown; `undefined`: the list is. */
  readonly open: string | undefined
}

export const BEGIN: TopState = {
  order: NAMES[0]!,
  filter: '',
  typing: false,
  selected: undefined,
  open: undefined,
}

/**
 * What a key makes of the state.
 *
 * @param ids of the tenants in the list, in its order.
 * @returns `end`: the person has seen enough.
 */
export function afterKey(state: TopState, key: Pressed, ids: readonly string[]): TopState | 'end' {
  if (key.ctrl) return key.name === 'c' ? 'end' : state
  if (state.typing) return typed(state, key)
  if (state.open !== undefined) {
    return key.name === 'q' || key.name === 'escape' ? { ...state, open: undefined } : state
  }
  const at = positionOf(state, ids)
  const step = (by: number): TopState => {
    const next = Math.max(0, Math.min(ids.length - 1, at + by))
    return { ...state, selected: ids[next] }
  }
  switch (key.name) {
    case 'q':
      return 'end'
    case 'escape':
      return { ...state, filter: '' }
    case 'f':
      return { ...state, typing: true }
    case 's':
      return { ...state, order: NAMES[(NAMES.indexOf(state.order) + 1) % NAMES.length]! }
    case 'up':
      return step(-1)
    case 'down':
      return step(1)
    case 'return':
      return { ...state, open: ids[at] }
    default:
      return state
  }
}

/** Where the marked tenant is in the list; the first one, if it is no longer there. */
export function positionOf({ selected }: TopState, ids: readonly string[]): number {
  return selected === undefined ? 0 : Math.max(0, ids.indexOf(selected))
}

function typed(state: TopState, { name, text }: Pressed): TopState {
  if (name === 'return') return { ...state, typing: false }
  if (name === 'escape') return { ...state, typing: false, filter: '' }
  if (name === 'backspace') return { ...state, filter: state.filter.slice(0, -1) }
  // Other letters are in no id of a tenant.
  return /^[a-z0-9._-]$/i.test(text)
    ? { ...state, filter: state.filter + text.toLowerCase() }
    : state
}

function highest({ status }: TopTenant): number {
  const fullest = fullestWindow(status)
  return fullest ? shareOf(fullest.usage) : 0
}

function restrictedAt({ status }: TopTenant): number {
  return firstForecastOf(status)?.at ?? LAST
}
