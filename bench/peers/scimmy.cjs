// scimmy and scimmy-routers behind Express, users in memory: `node scimmy.cjs plain|indexed PORT TOKEN`
//
// `plain` finds users as the package's documentation does, with an array and the filter's own `match`. `indexed` has a Map of ids and one of
// lower-cased userNames, which finds `userName eq "…"` without a walk. Otherwise the two are the same.

"use strict";

const crypto = require("node:crypto");
const express = require("express");
const { default: SCIMMY } = require("scimmy");
const { default: SCIMMYRouters } = require("scimmy-routers");

const [variant, port, token] = process.argv.slice(2);

class Plain {
  users = [];

  find(id) {
    return this.users.find((user) => user.id === id);
  }

  match(filter) {
    return filter ? filter.match(this.users) : this.users;
  }

  named(userName) {
    // Compares names as they are written, as the filter's `match` does: folding each name would only make this slower.
    return this.users.find((user) => user.userName === userName);
  }

  put(user, before) {
    if (before) this.users[this.users.indexOf(before)] = user;
    else this.users.push(user);
  }

  remove(user) {
    this.users.splice(this.users.indexOf(user), 1);
  }
}

class Indexed {
  byId = new Map();
  byName = new Map();

  find(id) {
    return this.byId.get(id);
  }

  match(filter) {
    if (!filter) return [...this.byId.values()];
    const [only, ...others] = filter;
    const [attribute, ...more] = Object.entries(only);
    if (others.length === 0 && more.length === 0 && attribute[0].toLowerCase() === "username") {
      const [comparator, value] = attribute[1];
      if (comparator === "eq") return [this.named(value)].filter(Boolean);
    }
    return filter.match([...this.byId.values()]);
  }

  named(userName) {
    return this.byName.get(userName.toLowerCase());
  }

  put(user, before) {
    if (before) this.byName.delete(before.userName.toLowerCase());
    this.byId.set(user.id, user);
    this.byName.set(user.userName.toLowerCase(), user);
  }

  remove(user) {
    this.byId.delete(user.id);
    this.byName.delete(user.userName.toLowerCase());
  }
}

const store = new { plain: Plain, indexed: Indexed }[variant]();

function existing(id) {
  const user = store.find(id);
  if (!user) throw new SCIMMY.Types.Error(404, null, `Resource ${id} not found`);
  return user;
}

SCIMMY.Resources.declare(SCIMMY.Resources.User)
  .ingress((resource, data) => {
    const before = resource.id ? existing(resource.id) : undefined;
    const other = store.named(data.userName);
    if (other && other !== before) throw new SCIMMY.Types.Error(409, "uniqueness", "another user has this userName");
    const now = new Date();
    const meta = { created: before?.meta.created ?? now, lastModified: now };
    // JSON makes all users objects of one shape. Otherwise V8 walks through an array of users many times slower.
    const user = JSON.parse(JSON.stringify({ ...data, id: before?.id ?? crypto.randomUUID(), meta }));
    store.put(user, before);
    return user;
  })
  .egress((resource) => (resource.id ? existing(resource.id) : store.match(resource.filter)))
  .degress((resource) => store.remove(existing(resource.id)));

const app = express();
app.use("/scim", new SCIMMYRouters({
  type: "bearer",
  handler: (request) => {
    if (request.header("Authorization") !== `Bearer ${token}`) throw new Error("Authorization not detected!");
    return "benchmark";
  },
}));
app.listen(Number(port), "127.0.0.1");
