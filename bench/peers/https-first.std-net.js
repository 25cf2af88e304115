import { http } from "std-net";

const answer = http.request({ method: "GET", url: `https://127.0.0.1:${process.argv[2]}/small` });
if (answer.isErr || answer.value.body.id !== 42) process.exit(1);
