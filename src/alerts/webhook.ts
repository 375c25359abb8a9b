import type { Alert } from '../records/event'
import { SWITCHED_OFF, type Channel, type Outcome } from './channel'
import { FORMAT as STANDARD } from './formats/standard'
import { post } from './post'
import type { AlertSettings } from './settings'
import { settingsMark, unlessTested } from './test-alert'

/** Posts alerts to the URL of `[alerts]`. */
export class WebhookChannel implements Channel {
  readonly name = 'webhook'

  /** @param timeout of an attempt, in ms. */
  constructor(
    private readonly settings: () => AlertSettings,
    private readonly timeout?: number,
  ) {}

  destination(): string {
    return this.settings().webhook
  }

  async deliver(alert: Alert): Promise<Outcome> {
    const settings = this.settings()
    const { webhook: url, webhookSecret: secret } = settings
    if (url === '' || secret === undefined) return SWITCHED_OFF
    return (
      unlessTested(alert, this.name, settingsMark(settings)) ??
      post(STANDARD.post(alert, { url, secret, at: new Date() }), this.timeout)
    )
  }
}
