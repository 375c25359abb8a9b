import type { AllowanceSettings } from '../allowance/settings'
import type { DecisionSettings } from '../decision/settings'
import type { HeaderFromSettings } from '../message/settings'

/** What the hooks decide by. */
export interface ExplainSettings extends AllowanceSettings, Omit<DecisionSettings, 'forwarded'> {
  readonly headerFrom: HeaderFromSettings
}
