import type { AllowanceSettings } from '../allowance/settings'
import type { DecisionSettings } from '../decision/settings'
import type { HeaderFromSettings } from '../message/settings'

/** The settings that decisions of the hooks depend on. */
export interface ExplainSettings extends AllowanceSettings, Omit<DecisionSettings, 'forwarded'> {
  readonly headerFrom: HeaderFromSettings
}
