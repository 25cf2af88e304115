const response = await fetch(`https://127.0.0.1:${process.argv[2]}/small`);
const body = await response.json();
if (body.id !== 42) process.exit(1);
