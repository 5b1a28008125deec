// Directory sync of @boxyhq/saml-jackson behind Express: `node saml-jackson.cjs PORT [DATABASE-URL]`. Without a database it keeps everything in memory.

"use strict";

const express = require("express");
const jackson = require("@boxyhq/saml-jackson").default;

const port = Number(process.argv[2]);
const database = process.argv[3];
const url = `http://127.0.0.1:${port}`;
const SCIM_TYPE = "application/scim+json";

async function main() {
  const { directorySyncController } = await jackson({
    externalUrl: url,
    samlPath: "/sso",
    scimPath: "/scim",
    db: database ? { engine: "sql", type: "postgres", url: database } : { engine: "mem" },
    noAnalytics: true,
    // An application that embeds the package would process its events here.
    dsync: { callback: async () => {} },
    logger: { info() {}, warn: console.error, error: console.error },
  });
  const { data: directory, error } = await directorySyncController.directories.create({
    name: "benchmark", tenant: "benchmark", product: "benchmark", type: "generic-scim-v2",
  });
  if (error) throw new Error(error.message);

  const app = express();
  app.use(express.json({ type: ["application/json", SCIM_TYPE] }));
  app.all("/scim/:directory/Users/:user?", async (request, response) => {
    const { count, startIndex, filter } = request.query;
    const { status, data } = await directorySyncController.requests.handle({
      method: request.method,
      body: request.body,
      directoryId: request.params.directory,
      resourceType: "Users",
      resourceId: request.params.user,
      apiSecret: request.header("Authorization")?.replace(/^Bearer /, ""),
      query: { count: count && Number(count), startIndex: startIndex && Number(startIndex), filter },
    });
    response.status(status).type(SCIM_TYPE).send(JSON.stringify(data));
  });
  app.listen(port, "127.0.0.1", () => {
    console.log(`Tenant URL: ${url}/scim/${directory.id}`);
    console.log(`Secret token: ${directory.scim.secret}`);
  });
}

main();
