// A chat with a language model, whose words appear as they come: the API that OpenAI's, llama.cpp's, vLLM's and Ollama's servers
// speak (POST /v1/chat/completions with "stream": true), which is server-sent events.
//   npm run example llm-chat URL MODEL          the key, where the server wants one, in API_KEY
//   npm run example llm-chat http://127.0.0.1:11434 llama3.2
import { createInterface } from "node:readline";
import { http } from "std-net";

interface Message {
  role: "user" | "assistant";
  content: string;
}

/** The little of a chunk that a chat needs. */
interface Chunk {
  choices?: { delta?: { content?: string | null } }[];
  error?: { message: string };
}

const [base = "http://127.0.0.1:11434", model = "llama3.2"] = process.argv.slice(2);
const key = process.env["API_KEY"];
const messages: Message[] = [];

function answer(): string {
  const headers: { [name: string]: string } = { accept: "text/event-stream" };
  if (key !== undefined) headers["authorization"] = `Bearer ${key}`;
  const { status, body } = http
    .open({
      method: "POST",
      url: new URL("/v1/chat/completions", base).href,
      headers,
      body: { model, stream: true, messages: messages.map(({ role, content }) => ({ role, content })) },
      // A model may think for a while before its first word.
      read_timeout_ms: 120_000,
    })
    .unwrap();
  if (status !== 200) {
    throw new Error(
      `the server responds with ${status}: ${body.read_to_end(65536).unwrap().toString().trim()}`,
    );
  }
  let text = "";
  for (const event of body.events()) {
    const { data } = event.unwrap();
    if (data === "[DONE]") break;
    const { choices, error } = JSON.parse(data) as Chunk;
    if (error !== undefined) throw new Error(error.message);
    const word = choices?.[0]?.delta?.content ?? "";
    process.stdout.write(word);
    text += word;
  }
  process.stdout.write("\n");
  // What follows [DONE] is the end of the body, and the connection serves the next question.
  body.close();
  return text;
}

const input = createInterface({ input: process.stdin, output: process.stderr, prompt: "> " });
input.prompt();
for await (const line of input) {
  if (line.trim() !== "") {
    messages.push({ role: "user", content: line });
    try {
      messages.push({ role: "assistant", content: answer() });
    } catch (problem) {
      console.error((problem as Error).message);
      messages.pop();
      process.exitCode = 1;
    }
  }
  input.prompt();
}
