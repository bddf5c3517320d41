// The people of the household beside the first owner, in memory.

import { checkPassword, Refusal } from "./contract.mjs";
import { Vault } from "./vault.mjs";

/** The part of the API that is about people. Each of `box.members` has a name, a password and a vault. */
export function peopleHandlers(box) {
  const find = (name) => {
    const member = box.members.find((each) => each.name === name);
    // Their own account is theirs to change, and nobody else's to take away.
    if (name === box.owner.name) throw new Refusal(409, "last_owner", "This is the owner of the box, whom nobody else can let go. The owner's password is changed on their own account page.");
    if (!member) throw new Refusal(404, "no_such_user", "There is nobody of that name.");
    return member;
  };
  return {
    "GET /users": (request) => {
      box.owns(request);
      const users = [{ name: box.owner.name, role: "owner" }, ...box.members.map(({ name }) => ({ name, role: "member" }))];
      return { status: 200, body: { users } };
    },
    "POST /users": async (request) => {
      box.owns(request);
      const body = await box.ownPassword(request, { name: "string", new: "string" });
      checkPassword("new", body.new);
      const isTaken = [box.owner, ...box.members].some(({ name }) => name.toLowerCase() === body.name.toLowerCase());
      if (isTaken) throw new Refusal(409, "user_exists", "There is somebody of that name already. Choose another one.");
      box.members.push({ name: body.name, password: body.new, vault: new Vault() });
      return { status: 201, body: { name: body.name, role: "member" } };
    },
    "POST /users/{name}/password": async (request, _query, name) => {
      box.owns(request);
      const body = await box.ownPassword(request, { new: "string" });
      checkPassword("new", body.new);
      const member = find(name);
      member.vault.password ??= member.password;
      member.vault.state = "locked";
      member.password = body.new;
      return { status: 204 };
    },
    "POST /users/{name}/remove": async (request, _query, name) => {
      box.owns(request);
      await box.ownPassword(request);
      const member = find(name);
      box.members = box.members.filter((each) => each !== member);
      return { status: 204 };
    },
  };
}
