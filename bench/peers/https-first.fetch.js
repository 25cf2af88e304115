const answer = await fetch(`https://127.0.0.1:${process.argv[2]}/small`);
const body = await answer.json();
if (body.id !== 42) process.exit(1);
