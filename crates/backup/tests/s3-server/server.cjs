// An object store with one bucket: node server.cjs FOLDER BUCKET. Says its port and runs until it is killed.
const aws4 = require("aws4");
const S3rver = require("s3rver");

const KEY = { accessKeyId: "S3RVER", secretAccessKey: "S3RVER" };

// Whether a URL is signed with the key's secret ("Authenticating Requests: Using Query Parameters"), which s3rver does not ask.
function isSigned(context) {
  const url = new URL(context.url, "http://store");
  const given = url.searchParams.get("X-Amz-Signature");
  const [accessKeyId, , region, service] = (url.searchParams.get("X-Amz-Credential") ?? "").split("/");
  for (const part of ["Signature", "Credential", "Algorithm", "SignedHeaders"]) {
    url.searchParams.delete(`X-Amz-${part}`);
  }
  const asked = { method: context.method, host: context.get("Host"), path: url.pathname + url.search, region, service, signQuery: true };
  const { path } = aws4.sign(asked, KEY);
  return accessKeyId === KEY.accessKeyId && given === new URL(path, "http://store").searchParams.get("X-Amz-Signature");
}

const [folder, bucket] = process.argv.slice(2);
const store = new S3rver({
  address: "127.0.0.1",
  port: 0,
  silent: true,
  directory: folder,
  configureBuckets: [{ name: bucket }],
});
// It names another namespace than the one of "Amazon S3 REST API" (s3.amazonaws.com/doc/2006-03-01/), which strict readers refuse.
store.middleware.unshift(async (context, next) => {
  if (!isSigned(context)) {
    context.status = 403;
    context.body = "SignatureDoesNotMatch";
    return;
  }
  await next();
  if (typeof context.body === "string") {
    context.body = context.body.replaceAll("http://doc.s3.amazonaws.com/2006-03-01", "http://s3.amazonaws.com/doc/2006-03-01");
  }
});
store.run().then(({ port }) => console.log(port));
