// A template whose channels are closed: its page reads and publishes with tickets of a backend, which end while it is open.

import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { useBrowser } from "../harness/browser.ts";
import { eventually } from "../harness/eventually.ts";
import { jobOf, TEMPLATES } from "../harness/job.ts";
import { freshKey, inSeconds, mint, ticketKeys } from "../harness/ticket.ts";
import { describeOwnServer, freshName, useOwnServer } from "../harness/suite.ts";

const TICKET_S = 4;
const RIGHTS = ["read", "publish", "presence", "manage"] as const;

const browser = useBrowser();

describeOwnServer("a page whose channels are closed", () => {
  const key = freshKey();
  const server = useOwnServer("browser-tickets", { OPEN_ACCESS: "false", TICKET_KEYS: ticketKeys(key), RETRY_MS: "200" });

  /** Opens a page as a copier changed it, beside the backend that it names. */
  async function open(template: string, path: string, ticket: () => string | undefined): Promise<{ page: Page; errors: string[]; logins: () => number }> {
    let logins = 0;
    const { page, errors } = await browser.open(`${server.url}/${path}`, async (page) => {
      await page.route(`**/${template}/-/access.js`, async (route) => {
        const script = await (await route.fetch()).text();
        expect(script).toContain('ticketFrom("")');
        await route.fulfill({ contentType: "text/javascript", body: script.replace('ticketFrom("")', 'ticketFrom("/login")') });
      });
      await page.route("**/login", async (route) => {
        logins += 1;
        const body = ticket();
        await route.fulfill(body ? { body } : { status: 401 });
      });
    });
    return { page, errors, logins: () => logins };
  }

  /** Tickets for all channels of a name, whose first and last parts a template may add to. */
  const ticketOf = (template: string, name: string) => () => mint(key, { aud: template, ch: `${name}*`, rights: [...RIGHTS], sub: "ann", exp: inSeconds(TICKET_S) });

  describe.each(TEMPLATES)("%s", (template) => {
    test("continues with a fresh ticket when its ticket expires, and loses nothing", async () => {
      const job = await jobOf(template);
      const name = freshName().replace("demo-", "team-");
      const ticket = ticketOf(template, name);
      const [first, second] = [await open(template, job.path(name), ticket), await open(template, job.path(name), ticket)];
      const tabs = { first: first.page, second: second.page, channel: `${server.url}/${template}/${name}`, ticket };
      for (let round = 1; round <= 5; round++) {
        const shows = await job.act(tabs, round);
        for (const tab of [second.page, first.page]) await shows(tab);
        // So that some come while a ticket ends, and some between.
        await new Promise((done) => setTimeout(done, TICKET_S * 500));
      }
      for (const tab of [first, second]) expect(tab.logins()).toBeGreaterThan(1);
      expect([...first.errors, ...second.errors].filter((error) => !error.includes("401"))).toEqual([]);
    });

    test("says so when the backend gives no further ticket", async () => {
      const job = await jobOf(template);
      const name = freshName().replace("demo-", "team-");
      let isLoggedIn = true;
      const { page } = await open(template, job.path(name), () => (isLoggedIn ? ticketOf(template, name)() : undefined));
      if (template === "devices") await page.click('[data-role="device"]');
      await job.settles(page);
      isLoggedIn = false;
      await eventually("it is refused", async () => (await page.getAttribute('[data-role="state"]', "data-state")) === "refused", 60_000);
    });
  });
});
