import { http } from "std-net";

const response = http.request({ method: "GET", url: `https://127.0.0.1:${process.argv[2]}/small` });
if (response.isErr || response.value.body.id !== 42) process.exit(1);
